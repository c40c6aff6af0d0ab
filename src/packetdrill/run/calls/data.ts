import { IP, IPV6, MESSAGE, TCP } from '../../../posix/constants.js';
import { ERRNO } from '../../../posix/errno.js';
import type { ControlMessage, Outcome, PendingCall } from '../../../posix/socket-calls.js';
import { ScriptError, Unsupported } from '../../language/script-error.js';
import { type CStruct, type CValue, field, numberOf, valueText } from '../c-values.js';
import { flagText } from '../symbols.js';
import type { CallRun, Issued } from './call-run.js';
import { destination } from './sockets.js';

/** read, recv, recvfrom: the place for the data, and how much of it. */
export function read(run: CallRun): Issued {
  run.takes(3, 6);
  const flags = run.args.length > 3 ? run.number(3, 'flags') : 0;
  const from = run.args[4];
  if (run.isNull(1) && run.bytes(2) > 0) {
    return { call: faultsFrom(1, run.calls.recv(run.fd(0), 1, flags | MESSAGE.MSG_PEEK)) };
  }
  return {
    call: run.calls.recv(run.fd(0), run.bytes(2), flags),
    finish: (outcome) => run.compareAddress(from, outcome.address),
  };
}

export function readv(run: CallRun): Issued {
  run.takes(3);
  return { call: run.calls.recv(run.fd(0), vectorBytes(run, run.args[1], run.number(2)), 0) };
}

export function recvmsg(run: CallRun): Issued {
  run.takes(3);
  if (run.isNull(1)) return { call: run.fault(0) };
  const message = run.struct(1, 'a msghdr');
  const flags = run.number(2, 'flags');
  return {
    call: run.calls.recv(run.fd(0), messageBytes(run, message), flags),
    finish: (outcome) => {
      if (outcome.result < 0) return;
      run.compareAddress(field(message, 'msg_name'), outcome.address);
      compareMessageFlags(run, message, outcome);
      compareControl(run, message, outcome.control ?? []);
    },
  };
}

/** write, send, sendto. */
export function write(run: CallRun): Issued {
  run.takes(3, 6);
  const flags = run.args.length > 3 ? run.number(3, 'flags') : 0;
  const address = run.args.length > 4 ? destination(run, run.args[4], flags) : undefined;
  if (run.isNull(1) && run.bytes(2) > 0) {
    return { call: faultsFrom(0, run.calls.send(run.fd(0), new Uint8Array(0), flags, address)) };
  }
  return { call: run.calls.send(run.fd(0), contents(run.args[1], run.bytes(2)), flags, address) };
}

/**
 * A call whose buffer is a null pointer. What a kernel looks at before the buffer, it says first: a descriptor that is none, a connection that
 * failed, that there is nothing to read. `least`: from this result on the buffer is needed. A SYN that would carry the data leaves without it, as Linux has it.
 */
function faultsFrom(least: number, call: PendingCall): PendingCall {
  return {
    get outcome() {
      const { outcome } = call;
      return outcome === undefined || outcome.result < least ? outcome : { result: -1, errno: ERRNO.EFAULT };
    },
    get completedUs() {
      return call.completedUs;
    },
    cancel: () => call.cancel(),
  };
}

export function writev(run: CallRun): Issued {
  run.takes(3);
  return { call: run.calls.send(run.fd(0), new Uint8Array(vectorBytes(run, run.args[1], run.number(2))), 0) };
}

export function sendmsg(run: CallRun): Issued {
  run.takes(3);
  if (run.isNull(1)) return { call: run.fault(0) };
  const message = run.struct(1, 'a msghdr');
  const flags = run.number(2, 'flags');
  const control = field(message, 'msg_control');
  if (control?.kind === 'list' && control.items.length > 0)
    throw new Unsupported(control.place, 'control messages of sendmsg()');
  const address = destination(run, message.fields.get('msg_name'), flags);
  return { call: run.calls.send(run.fd(0), new Uint8Array(messageBytes(run, message)), flags, address) };
}

/** What a script writes: its text, and zeros to the length. */
function contents(value: CValue, length: number): Uint8Array {
  const data = new Uint8Array(length);
  if (value.kind === 'string') data.set(Buffer.from(value.value, 'latin1').subarray(0, length));
  return data;
}

function messageBytes(run: CallRun, message: CStruct): number {
  const vector = message.fields.get('msg_iov');
  if (vector === undefined || vector.kind === 'any') return 0;
  return vectorBytes(run, vector, undefined);
}

/** `[{..., 10}, {..., 20}]`: how much the pieces hold together. `count`: how many the call says there are. */
function vectorBytes(run: CallRun, value: CValue, count: number | undefined): number {
  if (value.kind !== 'list') throw new ScriptError(value.place, 'expected a list of iovecs: [{..., 10}, {..., 20}]');
  if (count !== undefined && count !== value.items.length) {
    throw new ScriptError(value.place, `the call says ${count} iovecs, here are ${value.items.length}`);
  }
  let total = 0;
  for (const item of value.items) {
    if (item.kind !== 'struct') throw new ScriptError(item.place, 'expected an iovec: {..., 10}');
    total += numberOf(item.fields.get('iov_len') ?? item.bare.at(-1), 'the length of an iovec');
  }
  return run.byteCount(total, value.place);
}

function compareMessageFlags(run: CallRun, message: CStruct, outcome: Outcome): void {
  const wanted = field(message, 'msg_flags');
  if (wanted === undefined || outcome.messageFlags === undefined) return;
  const expected = numberOf(wanted, 'flags');
  if (expected === outcome.messageFlags) return;
  run.mismatch('msg_flags', flagText(expected, 'MSG_'), flagText(outcome.messageFlags, 'MSG_'), wanted.place);
}

/** In number and order, each by level, type and what the script says of its data. */
function compareControl(run: CallRun, message: CStruct, seen: readonly ControlMessage[]): void {
  const wanted = field(message, 'msg_control');
  if (wanted === undefined) return;
  const items = wanted.kind === 'list' ? wanted.items : [wanted];
  if (items.length !== seen.length) {
    run.mismatch(
      'control messages',
      String(items.length),
      seen.length === 0 ? 'none' : seen.map(controlText).join(', '),
      wanted.place,
    );
  }
  items.forEach((item, i) => {
    if (item.kind !== 'struct')
      throw new ScriptError(item.place, 'expected a control message: {cmsg_level=…, cmsg_type=…, cmsg_data=…}');
    let level = numberOf(item.fields.get('cmsg_level'), 'a level');
    let type = numberOf(item.fields.get('cmsg_type'), 'a type');
    // A program that has IPv6 sockets for its IPv4 expects the names of IPv6; the sockets here are of IPv4 all the same.
    if (run.stage.settings.mapped && level === IPV6.SOL_IPV6 && type === IPV6.IPV6_RECVERR) {
      level = IP.SOL_IP;
      type = IP.IP_RECVERR;
    }
    const got = seen[i];
    if (level !== got.level || type !== got.type) {
      run.mismatch('control message', `level ${level} type ${type}`, `level ${got.level} type ${got.type}`, item.place);
    }
    const data = field(item, 'cmsg_data');
    if (data !== undefined) compareData(run, data, got);
  });
}

/** Offset and width in struct sock_extended_err. */
const EXTENDED_ERROR: Readonly<Record<string, readonly [number, 1 | 4]>> = {
  ee_errno: [0, 4],
  ee_origin: [4, 1],
  ee_type: [5, 1],
  ee_code: [6, 1],
  ee_info: [8, 4],
  ee_data: [12, 4],
};

function compareData(run: CallRun, wanted: CValue, got: ControlMessage): void {
  const view = new DataView(got.data.buffer, got.data.byteOffset, got.data.byteLength);
  const at = (offset: number, bytes: 1 | 4) =>
    offset + bytes > view.byteLength ? undefined : bytes === 1 ? view.getUint8(offset) : view.getUint32(offset, true);
  if (wanted.kind === 'struct') {
    for (const [name, value] of wanted.fields) {
      const placed = EXTENDED_ERROR[name];
      // Instants of SCM_TIMESTAMPING are of a clock that no script knows.
      if (placed === undefined || value.kind === 'any') continue;
      const seen = at(...placed);
      const expected = numberOf(value, 'a number') >>> 0;
      if (seen !== expected) run.mismatch(name, String(expected), String(seen), value.place);
    }
    return;
  }
  const expected = numberOf(wanted, 'a number');
  const seen = at(0, view.byteLength < 4 ? 1 : 4);
  if (seen !== undefined && (seen | 0) === (expected | 0)) return;
  run.mismatch('cmsg_data', valueText(wanted), String(seen), wanted.place);
}

function controlText({ level, type }: ControlMessage): string {
  if (level === TCP.SOL_TCP && type === TCP.TCP_CM_INQ) return 'TCP_CM_INQ';
  if (level === IP.SOL_IP && type === IP.IP_RECVERR) return 'IP_RECVERR';
  return `level ${level} type ${type}`;
}
