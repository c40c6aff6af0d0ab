import type { ConnectionId } from '../../stack/base/units.js';
import { ackAfterRead } from '../../stack/tcp/ack-policy.js';
import { peekBytes } from '../../stack/tcp/queue-lengths.js';
import { SendFlag } from '../../stack/tcp/send-marks.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import { Flag, Tcb } from '../../stack/tcp/tcb.js';
import type { Tcp } from '../../stack/tcp/tcp.js';
import { MESSAGE, TCP } from './constants.js';
import { answersEarly } from './fast-open.js';
import { intBytes } from './option-value.js';
import { failed, succeeded } from './outcome.js';
import { PosixError } from './posix-error.js';
import type { ControlMessage, Outcome, PendingCall } from './socket-calls.js';
import type { SocketLevel } from './socket-level.js';
import type { Waitable, Waits } from './waits.js';
import { ZeroCopyNotices } from './zero-copy.js';

/** What reading and writing have to know of their socket. */
export interface TransferOwner extends Waitable {
  readonly tcp: Tcp;
  readonly waits: Waits;
  readonly level: SocketLevel;
  readonly nonBlocking: boolean;
  readonly listening: boolean;
  /** 0: there has been none. */
  readonly connection: ConnectionId;
  readonly state: State;
  /** Bits of Side. */
  readonly shut: number;
  readonly wantsQueueLength: boolean;
  takeError(): number;
  /** What connect(2) comes to of a handshake that has failed; the socket is free to connect again. */
  connectFailed(): Outcome;
  /** What ICMP has put into the error queue. */
  readErrors(length: number): Outcome | undefined;
  readonly hasError: boolean;
  expectNotices(): void;
}

/** The sides of a socket: shutdown's numbers and one. */
export const enum Side {
  RECEIVE = 1,
  SEND = 2,
}

/** recv and send of a stream, in the order in which Linux looks at data, errors and ends. */
export class StreamTransfer {
  readonly #notices = new ZeroCopyNotices();
  constructor(readonly owner: TransferOwner) {}

  /** Ms the call may wait. */
  patience(timeoutMs: number, flags: number): number {
    return this.owner.nonBlocking || (flags & MESSAGE.MSG_DONTWAIT) !== 0 ? 0 : timeoutMs;
  }

  recv(length: number, flags: number): PendingCall {
    const { owner } = this;
    if ((flags & MESSAGE.MSG_ERRQUEUE) !== 0)
      return owner.waits.done(owner.readErrors(length) ?? this.#notices.take(this.#acknowledged()));
    if (owner.listening) throw new PosixError('ENOTCONN', 'a listener has nothing to read');
    // Urgent data stays in the stream, as RFC 6093 asks programs to have it.
    if ((flags & MESSAGE.MSG_OOB) !== 0) throw new PosixError('EINVAL', 'urgent data is read in line');
    const target = (flags & MESSAGE.MSG_WAITALL) !== 0 ? length : Math.min(length, owner.level.receiveLowWater);
    const peek = (flags & MESSAGE.MSG_PEEK) !== 0;
    let taken: Uint8Array[] = [];
    let got = 0;
    const result = (): Outcome =>
      succeeded(got, {
        data: (flags & MESSAGE.MSG_TRUNC) !== 0 ? new Uint8Array(0) : Buffer.concat(taken),
        messageFlags: 0,
        control: this.#control(),
      });
    const attempt = (): Outcome | undefined => {
      if (peek) {
        taken = [];
        got = 0;
      }
      const bytes = this.#take(length - got, peek);
      if (bytes.length > 0) taken.push(bytes);
      got += bytes.length;
      if (got > 0 && got >= target) return result();
      // What came before the end is given out first, and the end by the next call.
      if (got > 0) return this.#ended() ? result() : undefined;
      // Behind the peer's FIN the end is the end, and an error stays for others to take (Linux: SOCK_DONE).
      if (this.#peerEnded()) return result();
      if (owner.hasError) return failed(owner.takeError());
      if ((owner.shut & Side.RECEIVE) !== 0) return result();
      if (owner.connection === 0) return failed('ENOTCONN');
      return length === 0 ? result() : undefined;
    };
    const expired = (): Outcome => (got > 0 ? result() : failed('EAGAIN'));
    return owner.waits.call(attempt, [owner], this.patience(owner.level.receiveTimeoutMs, flags), expired);
  }

  #take(length: number, peek: boolean): Uint8Array {
    const { tcp, connection } = this.owner;
    if (connection === 0) return new Uint8Array(0);
    const bytes = new Uint8Array(Math.min(length, tcp.readable(connection)));
    if (bytes.length === 0) return bytes;
    if (peek) {
      const c = tcp.rowOf(connection) << Tcb.SHIFT;
      peekBytes(tcp.context, c, 0, bytes);
      // As Linux a look counts as reading where an ACK waits for the program.
      const k = tcp.context.hot[c + Tcb.COLD];
      if (k !== 0) ackAfterRead(tcp.context, c, k);
    } else tcp.receive(connection, bytes);
    return bytes;
  }

  #peerEnded(): boolean {
    const { tcp, connection } = this.owner;
    if (connection === 0) return false;
    return (tcp.context.hot[(tcp.rowOf(connection) << Tcb.SHIFT) + Tcb.STATE] & Flag.FIN_RECEIVED) !== 0;
  }

  #ended(): boolean {
    return this.owner.hasError || (this.owner.shut & Side.RECEIVE) !== 0;
  }

  /** TCP_INQ: how much is left to read; one byte that is not there stands for the end. */
  #control(): readonly ControlMessage[] {
    const { tcp, connection, wantsQueueLength } = this.owner;
    if (!wantsQueueLength || connection === 0) return [];
    const left = tcp.readable(connection);
    const end = left === 0 && (this.owner.shut & Side.RECEIVE) !== 0;
    return [{ level: TCP.SOL_TCP, type: TCP.TCP_CM_INQ, data: intBytes(end ? 1 : left) }];
  }

  /** `taken`: so many bytes went with the SYN that was just sent, and the call waits for the handshake. */
  send(data: Uint8Array, flags: number, taken = -1): PendingCall {
    const { owner } = this;
    const urgent = (flags & MESSAGE.MSG_OOB) !== 0 && data.length > 0;
    const nonBlocking = this.patience(Infinity, flags) === 0;
    const how: SendFlag =
      ((flags & MESSAGE.MSG_MORE) !== 0 ? SendFlag.MORE : SendFlag.NONE) |
      ((flags & MESSAGE.MSG_EOR) !== 0 ? SendFlag.RECORD_END : SendFlag.NONE) |
      (urgent ? SendFlag.URGENT : SendFlag.NONE);
    let from = Math.max(0, taken);
    const sent = (): Outcome => {
      // Of a connection that has failed meanwhile nothing is urgent any more.
      if (urgent && !owner.hasError) owner.tcp.markUrgent(owner.connection);
      if ((flags & MESSAGE.MSG_ZEROCOPY) !== 0 && owner.level.zeroCopy) {
        this.#notices.add(this.#taken());
        owner.expectNotices();
      }
      return succeeded(from);
    };
    const attempt = (): Outcome | undefined => {
      const { connection, state } = owner;
      // As long as the handshake is not complete the call is a connect(2).
      if (owner.hasError && from === taken) return owner.connectFailed();
      if (owner.hasError) return from > 0 ? sent() : failed(owner.takeError());
      const shut = owner.listening || connection === 0 || (owner.shut & Side.SEND) !== 0;
      if (shut) return from > 0 ? succeeded(from) : failed('EPIPE');
      if (state === State.SYN_SENT || (state === State.SYN_RECEIVED && !answersEarly(owner.tcp, connection)))
        return undefined;
      if (from < data.length) from += owner.tcp.send(connection, data, from, data.length, how);
      return from === data.length || (nonBlocking && from > 0) ? sent() : undefined;
    };
    // Who waits to write brings the ACK of the SYN-ACK along (as Linux).
    if (!nonBlocking && owner.state === State.SYN_SENT && data.length > 0)
      owner.tcp.setOption(owner.connection, TcpOption.QUICK_ACK, 0);
    const expired = (): Outcome => (from > 0 ? sent() : failed(taken < 0 ? 'EAGAIN' : 'EINPROGRESS'));
    return owner.waits.call(attempt, [owner], this.patience(owner.level.sendTimeoutMs, flags), expired);
  }

  /** A notice of MSG_ZEROCOPY waits. */
  get noticed(): boolean {
    return this.#notices.ready(this.#acknowledged());
  }

  hasNewNotice(): boolean {
    return this.#notices.news(this.#acknowledged());
  }
  expectsNotices(): boolean {
    return this.#notices.expects(this.#acknowledged());
  }

  /** Bytes the stack has taken, from the beginning. */
  #taken(): number {
    const { tcp, connection } = this.owner;
    return tcp.info(connection).bytesAcked + tcp.unacknowledged(connection);
  }

  #acknowledged(): number {
    const { tcp, connection, state } = this.owner;
    // Nothing is kept for a connection that has ended.
    return connection === 0 || state === State.CLOSED ? Infinity : tcp.info(connection).bytesAcked;
  }
}
