/** packetdrill's names of ICMP types and codes, by IP version. */
interface IcmpType {
  readonly type: number;
  readonly codes: Readonly<Record<string, number>>;
}

const NO_CODES = {};

const V4: Readonly<Record<string, IcmpType>> = {
  echo_reply: { type: 0, codes: NO_CODES },
  unreachable: {
    type: 3,
    codes: {
      net_unreachable: 0,
      host_unreachable: 1,
      protocol_unreachable: 2,
      port_unreachable: 3,
      frag_needed: 4,
      source_route_failed: 5,
      net_unknown: 6,
      host_unknown: 7,
      source_host_isolated: 8,
      net_prohibited: 9,
      host_prohibited: 10,
      net_unreachable_tos: 11,
      host_unreachable_tos: 12,
      packet_filtered: 13,
      precedence_violation: 14,
      precedence_cutoff: 15,
    },
  },
  source_quench: { type: 4, codes: NO_CODES },
  redirect: { type: 5, codes: { net: 0, host: 1, net_tos: 2, host_tos: 3 } },
  echo_request: { type: 8, codes: NO_CODES },
  time_exceeded: { type: 11, codes: { exceeded_in_transit: 0, ttl: 0, exceeded_reassembly: 1, fragment: 1 } },
  parameter_problem: { type: 12, codes: { pointer: 0, missing_option: 1, bad_length: 2 } },
  timestamp_request: { type: 13, codes: NO_CODES },
  timestamp_reply: { type: 14, codes: NO_CODES },
};

const V6: Readonly<Record<string, IcmpType>> = {
  unreachable: {
    type: 1,
    codes: {
      no_route: 0,
      net_unreachable: 0,
      admin_prohibited: 1,
      address_unreachable: 3,
      host_unreachable: 3,
      port_unreachable: 4,
    },
  },
  packet_too_big: { type: 2, codes: NO_CODES },
  time_exceeded: { type: 3, codes: { exceeded_in_transit: 0, exceeded_reassembly: 1 } },
  parameter_problem: { type: 4, codes: { header: 0, next_header: 1, option: 2 } },
  echo_request: { type: 128, codes: NO_CODES },
  echo_reply: { type: 129, codes: NO_CODES },
};

export function icmpType(version: 4 | 6, name: string): number | undefined {
  return (version === 4 ? V4 : V6)[name]?.type;
}

export function icmpCode(version: 4 | 6, type: number, name: string): number | undefined {
  for (const each of Object.values(version === 4 ? V4 : V6)) if (each.type === type) return each.codes[name];
  return undefined;
}

/** `unreachable frag_needed`; numbers where there are no names. */
export function icmpText(version: 4 | 6, type: number, code: number): string {
  for (const [name, each] of Object.entries(version === 4 ? V4 : V6)) {
    if (each.type !== type) continue;
    const codeName = Object.entries(each.codes).find(([, number]) => number === code)?.[0];
    return codeName === undefined ? (code === 0 ? name : `${name} code=${code}`) : `${name} ${codeName}`;
  }
  return `type=${type} code=${code}`;
}

export function icmpTypeNames(version: 4 | 6): string {
  return Object.keys(version === 4 ? V4 : V6).join(', ');
}
