import type { ConnectionId, ListenerId, UdpId } from '../../stack/base/units.js';

/** What an event happens on: an integer naming a socket of the stack. Which kind it is, is said beside it. */
export type Handle = ConnectionId | ListenerId | UdpId;

/** The pattern's Event Handler, with one method for all events as its later texts advise: new events need no new methods. */
export interface EventHandler {
  /**
   * `events` are bits of `Event`, all of them in the registered mask. `cookie` is the integer given on registration.
   * What it throws reaches the reactor's `onHandlerError` and nobody else: other handlers run on.
   */
  handleEvent(handle: Handle, events: number, cookie: number): void;
}
