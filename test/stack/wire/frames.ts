/**
 * Frames that Linux 6.18 made on its loopback interface, as tcpdump 4.99 saw them: one short connection, a datagram to a
 * closed port and the answer, a ping and the answer. Where the kernel had left the checksum to the device, the right
 * one, as tcpdump computes it, is put in. `text` is what `tcpdump -n -t -S` prints.
 */
export interface Captured {
  readonly hex: string;
  readonly text: string;
}

const LINK = '0000000000000000000000000800';
const A = '127.0.0.1.43912 > 127.0.0.1.8080';
const B = '127.0.0.1.8080 > 127.0.0.1.43912';

export const SYN: Captured = {
  hex: `${LINK}4500003cbd19400040067fa07f0000017f000001ab881f901f5d195900000000a002ffd7e17c00000204ffd70402080abf65ab4d000000000103030a`,
  text: `IP ${A}: Flags [S], seq 526195033, win 65495, options [mss 65495,sackOK,TS val 3211111245 ecr 0,nop,wscale 10], length 0`,
};
export const SYN_ACK: Captured = {
  hex: `${LINK}4500003c0000400040063cba7f0000017f0000011f90ab88d53508351f5d195aa012ffcb9b3200000204ffd70402080a0e905a4abf65ab4d0103030a`,
  text: `IP ${B}: Flags [S.], seq 3577022517, ack 526195034, win 65483, options [mss 65495,sackOK,TS val 244341322 ecr 3211111245,nop,wscale 10], length 0`,
};
export const ACK: Captured = {
  hex: `${LINK}45000034bd1a400040067fa77f0000017f000001ab881f901f5d195ad535083680100040c3b000000101080abf65ab4e0e905a4a`,
  text: `IP ${A}: Flags [.], ack 3577022518, win 64, options [nop,nop,TS val 3211111246 ecr 244341322], length 0`,
};
export const DATA: Captured = {
  hex: `${LINK}45000046bd1b400040067f947f0000017f000001ab881f901f5d195ad535083680180040e4f600000101080abf65ab4e0e905a4a474554202f20485454502f312e300d0a0d0a`,
  text: `IP ${A}: Flags [P.], seq 526195034:526195052, ack 3577022518, win 64, options [nop,nop,TS val 3211111246 ecr 244341322], length 18`,
};
export const URGENT: Captured = {
  hex: `${LINK}45000035548a40004006e8367f0000017f0000011f90ab88d53508361f5d196c80380040a27400010101080a0e905a4abf65ab4e21`,
  text: `IP ${B}: Flags [P.U], seq 3577022518:3577022519, ack 526195052, win 64, urg 1, options [nop,nop,TS val 244341322 ecr 3211111246], length 1`,
};
export const FIN: Captured = {
  hex: `${LINK}45000034548b40004006e8367f0000017f0000011f90ab88d53508371f5d196c80110040c39c00000101080a0e905a4abf65ab4e`,
  text: `IP ${B}: Flags [F.], seq 3577022519, ack 526195052, win 64, options [nop,nop,TS val 244341322 ecr 3211111246], length 0`,
};
export const RST: Captured = {
  hex: `${LINK}45000034bd1d400040067fa47f0000017f000001ab881f901f5d196cd535083880140040c39800000101080abf65ab4e0e905a4a`,
  text: `IP ${A}: Flags [R.], seq 526195052, ack 3577022520, win 64, options [nop,nop,TS val 3211111246 ecr 244341322], length 0`,
};
export const UDP: Captured = {
  hex: `${LINK}45000021feb9400040113e107f0000017f000001a12d0009000d1cc968656c6c6f`,
  text: 'IP 127.0.0.1.41261 > 127.0.0.1.9: UDP, length 5',
};
export const PORT_UNREACHABLE: Captured = {
  hex: `${LINK}45c0003d900900004001ebf47f0000017f000001030319c60000000045000021feb9400040113e107f0000017f000001a12d0009000dfe2068656c6c6f`,
  text: 'IP 127.0.0.1 > 127.0.0.1: ICMP 127.0.0.1 udp port 9 unreachable, length 41',
};
export const ECHO: Captured = {
  hex: `${LINK}45000054900b40004001ac9b7f0000017f0000010800a43542f9000105fd036b000000004795010000000000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`,
  text: 'IP 127.0.0.1 > 127.0.0.1: ICMP echo request, id 17145, seq 1, length 64',
};
export const ECHO_REPLY: Captured = {
  hex: `${LINK}45000054900c00004001ec9a7f0000017f0000010000ac3542f9000105fd036b000000004795010000000000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`,
  text: 'IP 127.0.0.1 > 127.0.0.1: ICMP echo reply, id 17145, seq 1, length 64',
};

export const CAPTURED: readonly Captured[] = [
  SYN,
  SYN_ACK,
  ACK,
  DATA,
  URGENT,
  FIN,
  RST,
  UDP,
  PORT_UNREACHABLE,
  ECHO,
  ECHO_REPLY,
];

/** Where the IP header of those frames begins, and that of the transport. */
export const IP_AT = 14;
export const TRANSPORT_AT = 34;

/** A view of its own memory with these bytes, `before` zero bytes in front and `after` behind. */
export function viewOf(hex: string, before = 0, after = 0): DataView {
  const view = new DataView(new ArrayBuffer(before + hex.length / 2 + after));
  for (let i = 0; i < hex.length / 2; i++) view.setUint8(before + i, Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16));
  return view;
}

export function bytesOf(view: DataView, at = 0, length = view.byteLength - at): string {
  return Buffer.from(view.buffer, view.byteOffset + at, length).toString('hex');
}

/** An Ethernet frame around an IPv4 datagram around `payload`, every IP field right: options must be a multiple of four. */
export function ipv4Frame(protocol: number, payload: string, optionsHex = ''): DataView {
  const headerBytes = 20 + optionsHex.length / 2;
  const total = headerBytes + payload.length / 2;
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const header = `4${hex(headerBytes / 4, 1)}00${hex(total, 4)}0001400040${hex(protocol, 2)}00000a0000010a000002`;
  const view = viewOf(`0200000000020200000000010800${header}${optionsHex}${payload}`);
  let words = 0;
  for (let i = 0; i < headerBytes; i += 2) words += view.getUint16(IP_AT + i);
  while (words > 0xffff) words = (words & 0xffff) + (words >>> 16);
  view.setUint16(IP_AT + 10, ~words & 0xffff);
  return view;
}
