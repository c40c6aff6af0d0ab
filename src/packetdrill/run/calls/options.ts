import { SO, TCP } from '../../../posix/constants.js';
import type { Outcome } from '../../../posix/socket-calls.js';
import { ScriptError, Unsupported } from '../../language/script-error.js';
import { type CStruct, type CValue, numberOf, valueText } from '../c-values.js';
import { infoField, isInfoField, TCP_INFO_BYTES_MAX } from '../tcp-info.js';
import type { CallRun, Issued } from './call-run.js';

const VALUE_BYTES_MAX = 4096;

/** Their notices come in control messages that nobody makes here. */
const STAMPS = new Set<number>([SO.SO_TIMESTAMPING, SO.SO_TIMESTAMPING_NEW]);

/** `setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0` */
export function setsockopt(run: CallRun): Issued {
  run.takes(5);
  if (run.number(1, 'a level') === SO.SOL_SOCKET && STAMPS.has(run.number(2, 'an option'))) {
    throw new Unsupported(run.place, 'SO_TIMESTAMPING');
  }
  const length = optionLength(run, 4);
  if (run.isNull(3) && length > 0) return { call: run.fault(0) };
  const value = encodeValue(run.args[3], length);
  return { call: run.calls.setsockopt(run.fd(0), run.number(1, 'a level'), run.number(2, 'an option'), value) };
}

/** `getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0` */
export function getsockopt(run: CallRun): Issued {
  run.takes(5);
  const [, , , wanted, length] = run.args;
  const level = run.number(1, 'a level');
  const option = run.number(2, 'an option');
  const info = level === TCP.SOL_TCP && option === TCP.TCP_INFO;
  // Of no bytes there is nothing to write.
  if (run.isNull(4) || (run.isNull(3) && !(length.kind === 'list' && run.number(4) === 0)))
    return { call: run.fault(0) };
  const capacity = length.kind === 'any' ? (info ? TCP_INFO_BYTES_MAX : 64) : optionLength(run, 4);
  return {
    call: run.calls.getsockopt(run.fd(0), level, option, capacity),
    finish: (outcome) => {
      if (outcome.result === 0) compareValue(run, wanted, outcome);
    },
  };
}

function optionLength(run: CallRun, i: number): number {
  const length = run.number(i, 'a length');
  if (length <= VALUE_BYTES_MAX) return length;
  throw new ScriptError(run.args[i].place, `a value of ${length} bytes: at most ${VALUE_BYTES_MAX}`);
}

/** Linux's bytes of a value, as long as the call says: cut, or with zeros behind. */
function encodeValue(value: CValue, length: number): Uint8Array {
  const bytes = valueBytes(value, length);
  const encoded = new Uint8Array(Math.max(length, 0));
  encoded.set(bytes.subarray(0, encoded.length));
  return encoded;
}

function valueBytes(value: CValue, length: number): Uint8Array {
  switch (value.kind) {
    case 'any':
      return new Uint8Array(0);
    case 'string':
      return Buffer.from(value.value, 'latin1');
    case 'number':
      return integers([value.value], length === 8 ? 8 : 4);
    case 'list': {
      const numbers = value.items.map((item) => numberOf(item, 'a number'));
      return integers(numbers, numbers.length === 1 && length === 8 ? 8 : 4);
    }
    case 'struct':
      return structBytes(value);
  }
}

function integers(values: readonly number[], width: 4 | 8): Uint8Array {
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    if (width === 8) view.setBigInt64(i * 8, BigInt(Math.trunc(value)), true);
    else view.setInt32(i * 4, value, true);
  });
  return bytes;
}

function structBytes(value: CStruct): Uint8Array {
  const get = (...names: readonly string[]) =>
    names.map((name) => value.fields.get(name)).find((each) => each !== undefined);
  const onoff = get('onoff', 'l_onoff');
  if (onoff !== undefined)
    return integers([numberOf(onoff, 'a number'), numberOf(get('linger', 'l_linger'), 'linger=N')], 4);
  const seconds = get('tv_sec');
  if (seconds !== undefined) {
    const micros = get('tv_usec');
    return integers([numberOf(seconds, 'a number'), micros === undefined ? 0 : numberOf(micros, 'a number')], 8);
  }
  throw new Unsupported(value.place, `the value ${valueText(value)} of an option`);
}

function compareValue(run: CallRun, wanted: CValue, outcome: Outcome): void {
  const data = outcome.data ?? new Uint8Array(0);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  switch (wanted.kind) {
    case 'any':
      return;
    case 'string': {
      const text = Buffer.from(data).toString('latin1').replace(/\0.*$/s, '');
      if (text !== wanted.value)
        run.mismatch('value', JSON.stringify(wanted.value), JSON.stringify(text), wanted.place);
      return;
    }
    case 'number':
    case 'list': {
      const items = wanted.kind === 'list' ? wanted.items : [wanted];
      items.forEach((item, i) => {
        if (item.kind === 'any') return;
        const seen = integerAt(view, i, items.length);
        const expected = numberOf(item, 'a number');
        const same =
          seen !== undefined && (seen === expected || (view.byteLength <= 4 && (seen | 0) === (expected | 0)));
        if (!same)
          run.mismatch('value', String(expected), seen === undefined ? 'nothing' : describe(run, seen), wanted.place);
      });
      return;
    }
    case 'struct':
      for (const [name, each] of wanted.fields) {
        if (each.kind === 'any') continue;
        const seen = fieldOf(name, data, view, wanted);
        const expected = numberOf(each, 'a number');
        if (seen !== expected) run.mismatch(name, String(expected), String(seen), each.place);
      }
  }
}

/** One byte where the option is a byte, eight where there is room for only one number of eight, else an int. */
function integerAt(view: DataView, i: number, count: number): number | undefined {
  if (view.byteLength === 1) return i === 0 ? view.getUint8(0) : undefined;
  if (view.byteLength === 8 && count === 1) return Number(view.getBigInt64(0, true));
  return (i + 1) * 4 <= view.byteLength ? view.getInt32(i * 4, true) : undefined;
}

function describe(run: CallRun, seen: number): string {
  const option = run.number(2);
  const error = option === SO.SO_ERROR && run.number(1) === SO.SOL_SOCKET;
  return error ? `${seen} (an errno)` : String(seen);
}

function fieldOf(name: string, data: Uint8Array, view: DataView, of: CStruct): number | undefined {
  if (isInfoField(name)) return infoField(data, name);
  const at = { onoff: 0, l_onoff: 0, linger: 4, l_linger: 4 }[name];
  if (at !== undefined) return at + 4 <= view.byteLength ? view.getInt32(at, true) : undefined;
  const wide = { tv_sec: 0, tv_usec: 8 }[name];
  if (wide !== undefined) return wide + 8 <= view.byteLength ? Number(view.getBigInt64(wide, true)) : undefined;
  throw new Unsupported(of.place, `the field ${name} of an option's value`);
}

/** `fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0` */
export function fcntl(run: CallRun): Issued {
  run.takes(2, 3);
  return { call: run.calls.fcntl(run.fd(0), run.number(1, 'a command'), run.args.length > 2 ? run.number(2) : 0) };
}

/** `ioctl(3, SIOCINQ, [1000]) = 0` */
export function ioctl(run: CallRun): Issued {
  run.takes(2, 3);
  const wanted = run.args[2];
  return {
    call: run.calls.ioctl(run.fd(0), run.number(1, 'a request')),
    finish: (outcome) => {
      if (outcome.result === 0 && wanted !== undefined && outcome.data !== undefined)
        compareValue(run, wanted, outcome);
    },
  };
}
