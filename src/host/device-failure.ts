import type { Driver } from '../../drivers/driver.js';
import { sameBytes } from '../../drivers/mac.js';
import { StackError } from '../../stack/base/errors.js';
import type { Device } from '../../stack/net/device.js';
import type { Interface } from '../../stack/net/interface.js';
import type { Attachment, Turn } from './turn.js';

/**
 * Called once for each device that stops to work, as a TAP does when its interface is deleted. By then its interface is down and the
 * device closed; connections over it are not ended, and time out unless `reattach` gives the interface another device.
 */
export type OnDeviceFailure = (attachment: Attachment, error: StackError) => void;

/** Why the device no longer works, by its own word; null while it does. */
export function failureOf(device: Device): StackError | null {
  return (device as Driver).failure ?? null;
}

/** Whether one of them has failed: asked after every turn. */
export function anyFailed(attachments: readonly Attachment[]): boolean {
  for (let i = 0; i < attachments.length; i++) if (failureOf(attachments[i].device) !== null) return true;
  return false;
}

/**
 * Takes a failed device out of the turns: nothing asks it for frames again, what waits for it is dropped and counted, and its
 * interface is down, so that nothing new is opened over it (ENETUNREACH). Between turns only.
 */
export function retire(turn: Turn, attachment: Attachment): void {
  const { stack, attachments } = turn;
  const { device, iface } = attachment;
  attachments.splice(attachments.indexOf(attachment), 1);
  stack.net.setUp(iface.index, false);
  iface.discardQueue();
  device.close(stack.slab);
}

/** What a host does when nobody listens for failures: as for an 'error' event of Node's without a listener, the program ends. */
export function unheard(_attachment: Attachment, error: StackError): never {
  throw error;
}

/**
 * Another device for an interface whose own has failed, and its link is up again. Addresses, routes and connections are as they
 * were; frames that were lost are sent again. Throws EINVAL where the stack would have to change, EBUSY where the old device works.
 */
export function replaceDevice(turn: Turn, iface: Interface, device: Device): Attachment {
  const { stack, attachments } = turn;
  if (stack.net.interfaces[iface.index] !== iface)
    throw new StackError('EINVAL', `${iface.name} is no interface of this stack: give what attach returned`);
  if (attachments.some((one) => one.iface === iface))
    throw new StackError(
      'EBUSY',
      `${iface.name} has a device that works: EBUSY. Another can replace it when it has failed`,
    );
  if (device.medium !== iface.medium || device.mtu < iface.mtu || !sameBytes(device.mac, iface.mac))
    throw new StackError(
      'EINVAL',
      `${device.name} does not fit ${iface.name}: it needs the same kind, an MTU of at least ${iface.mtu} and the same MAC address. Open it with { mtu: iface.mtu, mac: iface.mac }`,
    );
  const attachment = { device, iface };
  attachments.push(attachment);
  stack.net.setUp(iface.index, true);
  return attachment;
}
