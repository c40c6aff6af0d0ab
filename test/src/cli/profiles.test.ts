import t from 'tap';
import { BEHAVIOUR_TEXTS, differs, PROFILE_COLUMNS, profileRows } from '../../../src/cli/profile-table.js';
import { PROFILES } from '../../../stack/tcp/profiles.js';
import { run } from './run-cli.js';

t.test('profiles → side by side, what differs; --all has the rest', async (t) => {
  const { status, stdout, stderr } = await run(['profiles']);
  t.equal(status, 0, stderr);
  t.match(stdout, /linux-6\.12 +linux-6\.18 +linux-7\.3 +freebsd/);
  t.match(stdout, /^receiveBytesMax +6291456 +33554432 +33554432 +2097152$/m);
  t.match(stdout, /^net\.ipv4\.tcp_rto_max_ms +– +120000 +120000 +64000$/m);
  t.notMatch(stdout, /timeWaitMs/);
  const all = await run(['profiles', '--all']);
  t.match(all.stdout, /^timeWaitMs +60000 +60000 +60000 +60000$/m);
});

t.test('profiles --json → one object', async (t) => {
  const { stdout } = await run(['profiles', '--json']);
  const { profiles, linux, rows } = JSON.parse(stdout);
  t.same(profiles, PROFILE_COLUMNS);
  t.equal(linux, 'linux-7.3');
  t.same(rows, profileRows().filter(differs));
});

t.test('every bit of a profile → has its row', (t) => {
  const all = Object.values(PROFILES).reduce((bits, { behaviour = 0 }) => bits | behaviour, 0);
  const told = [...BEHAVIOUR_TEXTS.keys()].reduce((bits, bit) => bits | bit, 0);
  t.equal(told, all);
  for (const row of profileRows()) {
    if (row.kind === 'behaviour')
      t.ok(differs(row), `${row.what}: a bit that no two profiles have differently is none`);
  }
  t.end();
});

t.test('profiles with a word too many → status 2', async (t) => {
  const { status, stderr } = await run(['profiles', 'linux']);
  t.equal(status, 2);
  t.match(stderr, /ERR_INVALID_ARG_VALUE/);
});
