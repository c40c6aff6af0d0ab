/** sock->state of Linux, as far as connect(2) tells them apart. */
export const enum Phase {
  UNCONNECTED = 0,
  LISTENING = 1,
  CONNECTING = 2,
  CONNECTED = 3,
}
