import { randomInt } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { type FaultOptions, parseFaults } from '../../drivers/fault-options.js';
import { checkInterfaceName, mtuMax } from '../../drivers/interface-control.js';
import { StackError } from '../../stack/base/errors.js';
import { Medium } from '../../stack/net/device.js';
import { badValue, CliError } from './errors.js';
import * as value from './values.js';

/** What commander hands over: text, as the user wrote it. */
export interface RawOptions {
  readonly device?: string;
  readonly address?: string;
  readonly gateway?: string;
  readonly mtu?: string;
  readonly hostAddress?: string;
  readonly trace?: string;
  readonly traceLimit?: string;
  readonly print?: boolean;
  readonly fault?: string;
  readonly seed?: string;
  readonly control?: string | false;
}

/** The same, judged: from here on nothing about it is wrong but what only the system knows. */
export interface StackSettings {
  /** `tap:mill0` */
  readonly device: string;
  readonly address: value.Subnet;
  readonly gateway: number | undefined;
  readonly mtu: number | undefined;
  readonly hostAddress: value.Subnet | undefined;
  readonly trace: string | undefined;
  readonly traceLimitBytes: number;
  readonly print: boolean;
  readonly faults: FaultOptions | undefined;
  readonly seed: number;
  /** The user chose the seed: everything shall be the same again. Else secrets come from the system. */
  readonly seedGiven: boolean;
  /** A path, `undefined` for the default one, `false` for none. */
  readonly control: string | false | undefined;
}

export const DEFAULT_DEVICE = 'tap:mill0';
export const DEFAULT_ADDRESS = '10.0.0.2/24';
/** Opens in Wireshark in seconds, and holds the headers and bytes of a quarter of a gigabyte of traffic. */
export const DEFAULT_TRACE_LIMIT = '256M';

const TRACE_LIMIT_MIN = 64 * 1024;
const TRACE_LIMIT_MAX = 64 * 2 ** 30;
/** RFC 791: every host takes 68 bytes. */
const MTU_MIN = 68;

/** The options of every command that runs a stack on a device. */
export function addStackOptions(command: Command): Command {
  return addTrafficOptions(
    command
      .option('--device <device>', `where frames come from: tap:NAME or tun:NAME (default: ${DEFAULT_DEVICE})`)
      .option('--address <address/prefix>', `our IPv4 address on it (default: ${DEFAULT_ADDRESS})`)
      .option('--gateway <address>', 'the router for everything beyond the subnet')
      .option('--host-address <address>', "give the kernel's side of the device this address (default: left alone)"),
  );
}

/** Those that `demo`, which chooses device and addresses itself, has too. */
export function addTrafficOptions(command: Command): Command {
  return command
    .option(
      '--mtu <bytes>',
      `largest IP datagram, ${MTU_MIN} to ${mtuMax(Medium.ETHERNET)}, of a tun ${mtuMax(Medium.IP)} (default: the device's)`,
    )
    .option('--trace <file>', 'write every frame to a pcapng file, each with what the stack thought of it')
    .option('--trace-limit <size>', `the trace grows to this and no further (default: ${DEFAULT_TRACE_LIMIT})`)
    .option('--print', 'print every frame in one line')
    .option('--fault <list>', 'spoil the link: loss=1%,duplicate=0.5%,reorder=1%,delay=20ms,jitter=5ms,rate=10mbit,…')
    .option('--seed <number>', 'for everything random: port numbers, secrets, faults (default: chosen anew)')
    .option('--control <socket>', 'unix socket on which "millrace ss" asks (default: one in the runtime directory)')
    .option('--no-control', 'no such socket');
}

/** Judges the options in the order they are documented. Throws a `CliError` that names the first wrong one. */
export function stackSettings(raw: RawOptions): StackSettings {
  const device = deviceName(raw.device ?? DEFAULT_DEVICE);
  const address = value.subnet('--address', raw.address ?? DEFAULT_ADDRESS);
  return {
    device,
    address,
    gateway: gatewayOf(raw.gateway, address),
    hostAddress: hostAddressOf(raw.hostAddress, address),
    ...trafficSettings(raw, device.startsWith('tun:') ? Medium.IP : Medium.ETHERNET),
  };
}

export type TrafficSettings = Omit<StackSettings, 'device' | 'address' | 'gateway' | 'hostAddress'>;

export function trafficSettings(raw: RawOptions, medium = Medium.ETHERNET): TrafficSettings {
  return {
    mtu: raw.mtu === undefined ? undefined : value.wholeNumber('--mtu', raw.mtu, MTU_MIN, mtuMax(medium)),
    trace: raw.trace === undefined ? undefined : traceFile(raw.trace),
    traceLimitBytes: value.bytes(
      '--trace-limit',
      raw.traceLimit ?? DEFAULT_TRACE_LIMIT,
      TRACE_LIMIT_MIN,
      TRACE_LIMIT_MAX,
    ),
    print: raw.print ?? false,
    faults: raw.fault === undefined ? undefined : faultsOf(raw.fault),
    seed: raw.seed === undefined ? randomInt(2 ** 32) : value.wholeNumber('--seed', raw.seed, 0, 2 ** 32 - 1),
    seedGiven: raw.seed !== undefined,
    control: raw.control === undefined || raw.control === false ? raw.control : resolve(raw.control),
  };
}

export function port(option: string, text: string): number {
  return value.wholeNumber(option, text, 1, 65_535);
}

function deviceName(text: string): string {
  const match = /^(?:tap|tun):(.*)$/.exec(text);
  if (match === null) throw badValue('--device', text, '"tap:NAME" or "tun:NAME", as in "tap:mill0"');
  try {
    checkInterfaceName(match[1], text);
  } catch (error) {
    throw explained('--device', error);
  }
  return text;
}

function gatewayOf(text: string | undefined, address: value.Subnet): number | undefined {
  if (text === undefined) return undefined;
  const gateway = value.hostAddress('--gateway', text);
  if (!value.sameSubnet(gateway, address.address, address.prefixLength) || gateway === address.address) {
    throw badValue('--gateway', text, 'another address of the subnet given with --address');
  }
  return gateway;
}

function hostAddressOf(text: string | undefined, address: value.Subnet): value.Subnet | undefined {
  if (text === undefined) return undefined;
  const host = value.subnet('--host-address', text.includes('/') ? text : `${text}/${address.prefixLength}`);
  if (!value.sameSubnet(host.address, address.address, address.prefixLength) || host.address === address.address) {
    throw badValue('--host-address', text, 'another address of the subnet given with --address');
  }
  return host;
}

function traceFile(text: string): string {
  const path = resolve(text);
  if (text === '') throw badValue('--trace', text, 'the name of a file');
  if (!existsSync(dirname(path))) {
    throw new CliError('ENOENT', `--trace ${text}: the directory ${dirname(path)} does not exist`);
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new CliError('EISDIR', `--trace ${text} is a directory: give the name of a file`);
  }
  return path;
}

function faultsOf(text: string): FaultOptions {
  try {
    return parseFaults(text);
  } catch (error) {
    throw explained('--fault', error);
  }
}

/** The drivers' own complaint, with the option that it is about. */
function explained(option: string, error: unknown): unknown {
  return error instanceof StackError ? new CliError(error.code, `${option}: ${error.message}`) : error;
}
