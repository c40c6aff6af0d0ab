import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type CpuProfile, formatSummary, parseProfile, summarize } from '../../tools/bench/profile.js';

const frame = (functionName: string, url = '', lineNumber = 0): CpuProfile['nodes'][number]['callFrame'] => ({
  functionName,
  url,
  lineNumber,
});

/** root → turn → receive → receive (itself), and idle. */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 5] },
    { id: 2, callFrame: frame('turn', 'file:///x/dist/src/host/turn.js', 9), children: [3] },
    { id: 3, callFrame: frame('receive', 'file:///x/dist/stack/tcp/tcp.js', 4), children: [4] },
    { id: 4, callFrame: frame('receive', 'file:///x/dist/stack/tcp/tcp.js', 4) },
    { id: 5, callFrame: frame('(idle)') },
  ],
  samples: [2, 3, 4, 5, 5],
  timeDeltas: [1_000_000, 10, 20, 30, 40],
};

t.test('samples → time goes to the sample before its delta, the time before the first to nobody', (t) => {
  const { functions, busyUs, idleUs } = summarize(profile);
  t.equal(busyUs, 60);
  t.equal(idleUs, 40);
  t.match(functions, [
    { name: 'receive', file: 'stack/tcp/tcp.js:5', selfUs: 50 },
    { name: 'turn', file: 'src/host/turn.js:10', selfUs: 10, totalUs: 60 },
  ]);
  t.end();
});

t.test('a function below itself → its time with callees counts once', (t) => {
  t.equal(summarize(profile).functions[0].totalUs, 50);
  t.end();
});

t.test('files → self time of their functions, most first', (t) => {
  t.same(
    summarize(profile).files.filter(({ selfUs }) => selfUs > 0),
    [
      { file: 'stack/tcp/tcp.js', selfUs: 50 },
      { file: 'src/host/turn.js', selfUs: 10 },
    ],
  );
  t.end();
});

t.test('a clock that went back, an empty profile → no negative time, no division by zero', (t) => {
  t.equal(summarize({ ...profile, timeDeltas: [0, -5, 20, 30, 40] }).busyUs, 50);
  const empty = summarize({ nodes: [], samples: [], timeDeltas: [] });
  t.match(formatSummary(empty, 5), /busy 0\.00 s, idle 0\.00 s$/);
  t.end();
});

t.test('text → the hot spots first, the figure last', (t) => {
  const text = formatSummary(summarize(profile), 1);
  t.match(text, /83\.3%.*83\.3%.*receive/);
  t.notMatch(text, /host\/turn\.js:10/, 'only the top one');
  t.match(text.split('\n').at(-1), 'busy 0.00 s, idle 0.00 s; most in receive, 83.3%');
  t.end();
});

t.test('something else than a profile → one line and status 2', (t) => {
  t.throws(() => parseProfile('{"nodes":[]}'), { message: /no samples/ });
  t.throws(() => parseProfile('[1'), { message: /not JSON/ });
  const entry = fileURLToPath(new URL('../../tools/bench/main.js', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [entry, 'profile', '/nonexistent.cpuprofile'], {
    encoding: 'utf8',
  });
  t.equal(status, 2);
  t.match(stderr, /^bench: ENOENT.*\n$/);
  t.end();
});
