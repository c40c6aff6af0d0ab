import t, { type Test } from 'tap';
import { CookieCache, SynData, Tried } from '../../../stack/tcp/cookie-cache.js';
import { Cookie } from '../../../stack/tcp/fast-open.js';

/** Fast Open's cookies as a client keeps them, RFC 7413 §4.1.3. */

const asked = new Cookie();

function cookieFor(server: number): Cookie {
  const cookie = new Cookie();
  cookie.set(8, false);
  for (let i = 0; i < 8; i++) cookie.bytes[i] = (server >>> (4 * i)) & 0xff;
  return cookie;
}

function learn(cache: CookieCache, server: number, data = SynData.NONE): void {
  cache.put(server, 1460, cookieFor(server), Tried.NOTHING, data);
}

function knows(cache: CookieCache, server: number): boolean {
  cache.get(server, asked);
  return asked.length === 8 && cache.mss === 1460;
}

/** Servers enough to take every row several times, none of them among the first thousand. */
function flood(cache: CookieCache, data = SynData.NONE): void {
  for (let server = 100_000; server < 110_000; server++) learn(cache, server, data);
}

/** How many of ten servers are known after `between`, each of them having done `data` before. */
function left(t: Test, data: SynData[], between: (cache: CookieCache) => void): number {
  const cache = new CookieCache(1, 2);
  const servers = Array.from({ length: 10 }, (_, i) => 1 + i);
  for (const server of servers) learn(cache, server);
  for (const one of data) for (const server of servers) learn(cache, server, one);
  t.same(
    servers.filter((server) => !knows(cache, server)),
    [],
  );
  between(cache);
  t.ok(cache.used <= cache.max && cache.highWater <= cache.max);
  return servers.filter((server) => knows(cache, server)).length;
}

t.test('a cookie that has worked outlives any number that have not', (t) => {
  t.equal(
    left(t, [SynData.TAKEN], (cache) => {
      flood(cache);
      t.ok(cache.replaced > 8000);
    }),
    10,
  );
  t.end();
});

t.test('one that has not worked, or no longer does, gives way', (t) => {
  t.equal(
    left(t, [], (cache) => flood(cache)),
    0,
  );
  t.equal(
    left(t, [SynData.TAKEN, SynData.NOT_TAKEN], (cache) => flood(cache)),
    0,
  );
  t.end();
});

t.test('where all have worked, the one unused for longest gives way', (t) => {
  t.equal(
    left(t, [SynData.TAKEN], (cache) => flood(cache, SynData.TAKEN)),
    0,
  );
  t.equal(
    left(t, [SynData.TAKEN], (cache) => {
      for (let server = 100_000; server < 110_000; server++) {
        learn(cache, server, SynData.TAKEN);
        for (let used = 1; used <= 10; used++) cache.get(used, asked);
      }
    }),
    10,
  );
  t.end();
});

t.test(
  'a server that leaves the option unanswered → the other form, then the first again; its data counts all the same',
  (t) => {
    const cache = new CookieCache(1, 2);
    const none = new Cookie();
    cache.put(5, 1400, none, Tried.STANDARD, SynData.TAKEN);
    cache.get(5, asked);
    t.same([asked.length, asked.experimental, cache.mss], [0, true, 1400]);
    cache.put(5, 1400, none, Tried.BOTH, SynData.NONE);
    cache.get(5, asked);
    t.same([asked.length, asked.experimental], [0, false]);
    flood(cache);
    cache.get(5, asked);
    t.equal(cache.mss, 1400, 'the server took data without a cookie, and is still known');
    cache.clear();
    t.equal(cache.used, 0);
    cache.get(5, asked);
    t.equal(cache.mss, 0);
    t.end();
  },
);
