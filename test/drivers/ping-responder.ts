import { Medium } from '../../stack/net/device.js';

/**
 * The least that answers a ping, by hand from RFC 826, 791 and 792 and independent of the stack: what is tested with it is the
 * device alone.
 */
export function answerPing(frame: Uint8Array, medium: Medium, mac: Uint8Array): Uint8Array | undefined {
  if (medium === Medium.IP) return answerPacket(frame, 0);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const type = view.getUint16(12);
  let answer: Uint8Array | undefined;
  if (type === 0x0806 && view.getUint16(20) === 1) answer = answerArp(frame, mac);
  else if (type === 0x0800) answer = answerPacket(frame, 14);
  if (answer === undefined) return undefined;
  answer.set(frame.subarray(6, 12), 0);
  answer.set(mac, 6);
  return answer;
}

/** Whoever is asked for: we are it. */
function answerArp(frame: Uint8Array, mac: Uint8Array): Uint8Array {
  const answer = frame.slice(0, 42);
  answer[21] = 2;
  answer.set(mac, 22);
  answer.set(frame.subarray(38, 42), 28);
  answer.set(frame.subarray(22, 32), 32);
  return answer;
}

function answerPacket(frame: Uint8Array, at: number): Uint8Array | undefined {
  const isPing = (frame[at] as number) >> 4 === 4 && frame[at + 9] === 1 && frame[at + 20] === 8;
  if (!isPing) return undefined;
  const answer = frame.slice();
  answer.set(frame.subarray(at + 16, at + 20), at + 12);
  answer.set(frame.subarray(at + 12, at + 16), at + 16);
  answer[at + 20] = 0;
  // The type falls from 8 to 0, so the checksum rises by 0x0800 (RFC 1624); swapped addresses leave the header's alone.
  const view = new DataView(answer.buffer);
  const raised = view.getUint16(at + 22) + 0x0800;
  view.setUint16(at + 22, (raised & 0xffff) + (raised >>> 16));
  return answer;
}
