import { StackError } from '../stack/base/errors.js';
import { Medium } from '../stack/net/device.js';
import { createWire, type LoopbackDevice, type WireOptions } from './loopback.js';
import { openTap, openTun, type TapDevice, type TapOptions } from './tap.js';

export interface OpenDeviceOptions extends TapOptions {
  /** For `loopback`. */
  readonly wire?: Omit<WireOptions, 'mtu' | 'seed' | 'medium'>;
}

/** The names that `openDevice` takes, for messages and help. */
export const DEVICE_FORMS = '"tap:NAME", "tun:NAME" or "loopback", as in "tap:mill0"';

/**
 * Opens the device that `name` names. Of a loopback this is the near end; `peer` is the far one. Throws a `StackError`: for a name
 * that is none, and as the device does.
 */
export function openDevice(name: string, options: OpenDeviceOptions = {}): TapDevice | LoopbackDevice {
  if (name === 'loopback') return openLoopback(options);
  const match = /^(tap|tun):(.*)$/.exec(name);
  if (match === null) {
    throw new StackError('ERR_INVALID_ARG_VALUE', `"${name}" is no device: allowed are ${DEVICE_FORMS}`);
  }
  const [, kind, interfaceName] = match as unknown as [string, string, string];
  return kind === 'tap' ? openTap(interfaceName, options) : openTun(interfaceName, options);
}

function openLoopback(options: OpenDeviceOptions): LoopbackDevice {
  const wire: { -readonly [Key in keyof WireOptions]: WireOptions[Key] } = { ...options.wire, medium: Medium.ETHERNET };
  if (options.mtu !== undefined) wire.mtu = options.mtu;
  if (options.seed !== undefined) wire.seed = options.seed;
  return createWire(wire)[0];
}
