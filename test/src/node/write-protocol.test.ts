import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import { findBindings, type JSStream, type Request } from '../../../src/node/bindings.js';
import { closeOf, collect, passes, type Test } from './socket-steps.js';
import { SERVER, twoNets } from './worlds.js';

/**
 * How Node 24.22.1 and 26.10.0 and later call a handle: without a request. A write that is not done then returns one, and Node sets what
 * it needs on it. Called here as they do, whichever Node runs the test.
 */
interface Handle extends JSStream {
  writeBuffer(request: null, bytes: Uint8Array): unknown;
  writeUtf8String(request: null, text: string): unknown;
  writeLatin1String(request: null, text: string): unknown;
  writeAsciiString(request: null, text: string): unknown;
  writeUcs2String(request: null, text: string): unknown;
  writev(request: null, chunks: (Uint8Array | string)[], allBuffers: boolean): unknown;
  shutdown(request: Request): number;
  close(callback?: () => void): void;
  reset(callback?: () => void): number;
}
interface Returned extends Request {
  writeStatus: number | null;
  error: string | undefined;
}

const LARGE = 6_000_000;
const text = (bytes: number): string => 'abcdefgh'.repeat(bytes / 8);

const METHODS: Record<string, (handle: Handle, bytes: number) => { returned: unknown; expected: Buffer }> = {
  writeBuffer: (handle, bytes) => {
    const expected = Buffer.from(text(bytes));
    return { returned: handle.writeBuffer(null, expected), expected };
  },
  writeUtf8String: (handle, bytes) => ({
    returned: handle.writeUtf8String(null, text(bytes)),
    expected: Buffer.from(text(bytes)),
  }),
  writeLatin1String: (handle, bytes) => ({
    returned: handle.writeLatin1String(null, text(bytes)),
    expected: Buffer.from(text(bytes), 'latin1'),
  }),
  writeAsciiString: (handle, bytes) => ({
    returned: handle.writeAsciiString(null, text(bytes)),
    expected: Buffer.from(text(bytes), 'latin1'),
  }),
  writeUcs2String: (handle, bytes) => ({
    returned: handle.writeUcs2String(null, text(bytes)),
    expected: Buffer.from(text(bytes), 'utf16le'),
  }),
  'writev of buffers': (handle, bytes) => {
    const half = Buffer.from(text(bytes / 2));
    return { returned: handle.writev(null, [half, half], true), expected: Buffer.concat([half, half]) };
  },
  'writev of strings': (handle, bytes) => {
    const half = Buffer.from(text(bytes / 2));
    return {
      returned: handle.writev(null, [text(bytes / 2), 'utf8', half, 'buffer'], false),
      expected: Buffer.concat([half, half]),
    };
  },
};

async function connected(t: Test): Promise<{ handle: Handle; client: Socket; accepted: Socket }> {
  const world = twoNets(t);
  const server = world.server.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(80, SERVER);
  await once(server, 'listening');
  const client = world.client.connect(80, SERVER);
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], []];
  accepted.on('error', () => {});
  t.teardown(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { handle: (client as unknown as { _handle: Handle })._handle, client, accepted };
}

const { state, lastError } = (findBindings() as NonNullable<ReturnType<typeof findBindings>>).write;

for (const [name, write] of Object.entries(METHODS)) {
  t.test(`${name} without a request, taken at once → 0`, async (t) => {
    const { handle, accepted } = await connected(t as Test);
    const { returned, expected } = write(handle, 80);
    t.equal(returned, 0);
    handle.shutdown({ oncomplete(): void {} });
    t.ok((await collect(accepted)).equals(expected));
  });

  t.test(
    `${name} without a request, not taken at once → a request that is completed; every byte before the end`,
    async (t) => {
      const { handle, accepted } = await connected(t as Test);
      if (lastError !== undefined) state[lastError] = -1;
      const { returned, expected } = write(handle, LARGE);
      t.type(returned, 'object', 'something Node can wait for');
      const request = returned as Returned;
      t.equal(request.writeStatus, null);
      t.equal(request.error, undefined);
      if (lastError !== undefined) t.equal(state[lastError], 0);
      const completed = new Promise<number>((resolve) => {
        request.oncomplete = resolve;
      });
      const got = collect(accepted);
      t.equal(await completed, 0);
      handle.shutdown({ oncomplete(): void {} });
      t.ok((await got).equals(expected));
    },
  );

  for (const how of ['close', 'reset'] as const) {
    t.test(`${name} without a request, ${how} while it waits → ECANCELED, once`, async (t) => {
      const { handle, client } = await connected(t as Test);
      const request = write(handle, LARGE).returned as Returned;
      const statuses: number[] = [];
      request.oncomplete = (status) => statuses.push(status);
      const closed = new Promise<void>((resolve) => handle[how](resolve));
      t.same(statuses, [], 'not from within the call');
      await closed;
      await passes(5);
      t.equal(statuses.length, 1);
      t.ok(statuses[0] < 0);
      client.on('error', () => {});
      t.type(write(handle, 80).returned, 'number', 'an error, not a request');
    });
  }

  t.test(`${name} without a request, the peer resets while it waits → an error, once`, async (t) => {
    const { handle, client, accepted } = await connected(t as Test);
    client.on('error', () => {});
    const request = write(handle, LARGE).returned as Returned;
    const statuses: number[] = [];
    request.oncomplete = (status) => statuses.push(status);
    accepted.resetAndDestroy();
    await closeOf(client);
    t.equal(statuses.length, 1);
    t.ok(statuses[0] < 0);
  });
}
