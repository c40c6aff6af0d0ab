import t from 'tap';
import { ScriptedWorld } from '../../../src/posix/scripted-world.js';
import { Settings } from '../../../src/posix/sysctl.js';
import type { ProfileName } from '../../../stack/tcp/profiles.js';
import { Script } from './script.js';

t.test('every setting → told back as it was set', (t) => {
  const world = new ScriptedWorld();
  for (const name of Settings.names()) {
    t.ok(Settings.knows(name));
    const value = world.getSysctl(name);
    if (name === 'net.ipv4.tcp_available_congestion_control') {
      t.throws(() => world.setSysctl(name, 'x'), { code: 'EACCES' });
      continue;
    }
    world.setSysctl(name, value);
    t.equal(world.getSysctl(name), value, name);
  }
  t.end();
});

t.test('a setting by any of its spellings; a wrong name or value → ENOENT, EINVAL, and nothing changes', (t) => {
  const world = new ScriptedWorld();
  world.setSysctl('net/ipv4/tcp_fin_timeout', '30');
  t.equal(world.getSysctl('/proc/sys/net/ipv4/tcp_fin_timeout'), '30');
  world.setSysctl('net.ipv4.tcp_rmem', ' 4096  540000 15728640 ');
  t.equal(world.getSysctl('net.ipv4.tcp_rmem'), '4096\t540000\t15728640');
  t.throws(() => world.setSysctl('net.ipv4.tcp_nothing', '1'), { code: 'ENOENT' });
  t.throws(() => world.getSysctl('net.ipv4.tcp_nothing'), { code: 'ENOENT' });
  for (const value of ['', 'x', '1.5', '-1', '99999999999']) {
    t.throws(() => world.setSysctl('net.ipv4.tcp_syn_retries', value), { code: 'EINVAL' }, value);
  }
  t.throws(() => world.setSysctl('net.ipv4.tcp_rmem', '1 2'), { code: 'EINVAL' });
  t.throws(() => world.setSysctl('net.ipv4.ip_local_port_range', '10 5'), { code: 'EINVAL' });
  t.throws(() => world.setSysctl('net.ipv4.tcp_congestion_control', 'none'), { code: 'ENOENT' });
  t.equal(world.getSysctl('net.ipv4.tcp_congestion_control'), 'cubic');
  t.end();
});

t.test('a setting that came with a later Linux → ENOENT under the profile of an earlier one', (t) => {
  const since: [string, ProfileName][] = [
    ['tcp_rto_max_ms', 'linux-6.18'],
    ['tcp_tw_reuse_delay', 'linux-6.18'],
    ['tcp_ecn_option', 'linux-6.18'],
    ['tcp_ecn_option_beacon', 'linux-6.18'],
    ['tcp_comp_sack_rtt_percent', 'linux-7.3'],
    ['tcp_rcvbuf_low_rtt', 'linux-7.3'],
    ['ip_local_port_step_width', 'linux-7.3'],
    ['icmp_errors_extension_mask', 'linux-7.3'],
  ];
  const releases: ProfileName[] = ['linux-6.12', 'linux-6.18', 'linux-7.3'];
  for (const profile of releases) {
    const world = new ScriptedWorld({ profile });
    for (const [name, first] of since) {
      const path = `net.ipv4.${name}`;
      if (releases.indexOf(profile) >= releases.indexOf(first)) world.setSysctl(path, world.getSysctl(path));
      else {
        t.throws(() => world.getSysctl(path), { code: 'ENOENT' }, `${profile}: ${name}`);
        t.throws(() => world.setSysctl(path, '1'), { code: 'ENOENT' });
      }
    }
  }
  t.end();
});

t.test('the range of a setting → that of the profile’s Linux', (t) => {
  const [old, between, newest] = (['linux-6.12', 'linux-6.18', 'linux-7.3'] as const).map(
    (profile) => new ScriptedWorld({ profile }),
  );
  for (const world of [old, between]) {
    t.throws(() => world.setSysctl('net.ipv4.tcp_ecn', '3'), { code: 'EINVAL' });
    world.setSysctl('net.ipv4.tcp_reordering', '301');
    world.setSysctl('net.ipv4.tcp_rmem', '1 540000 15728640');
    world.setSysctl('net.ipv4.tcp_recovery', '0');
    t.equal(world.stack.tcp.limits.recovery, 0);
  }
  newest.setSysctl('net.ipv4.tcp_ecn', '5');
  t.throws(() => newest.setSysctl('net.ipv4.tcp_reordering', '301'), { code: 'EINVAL' }, 'tcp_max_reordering');
  t.throws(() => newest.setSysctl('net.ipv4.tcp_rmem', '1 540000 15728640'), { code: 'EINVAL' }, 'a page');
  newest.setSysctl('net.ipv4.tcp_recovery', '4');
  t.equal(newest.getSysctl('net.ipv4.tcp_recovery'), '4');
  t.equal(newest.stack.tcp.limits.recovery, 5, 'RACK is all there is');
  t.same(
    [old, between, newest].map((world) => world.getSysctl('net.ipv4.tcp_limit_output_bytes')),
    ['1048576', '4194304', '4194304'],
  );
  t.same(
    [old, between, newest].map((world) => world.getSysctl('net.ipv4.tcp_comp_sack_slack_ns')),
    ['100000', '100000', '10000'],
  );
  t.end();
});

t.test('settings → what connections do from then on', (t) => {
  const s = new Script(t);
  s.world.setSysctl('net.ipv4.tcp_timestamps', '0');
  s.world.setSysctl('net.ipv4.tcp_sack', '0');
  s.world.setSysctl('net.ipv4.tcp_congestion_control', 'reno');
  s.listen();
  s.inject({ flags: 'S', options: { mss: 1000, sackOk: true, ts: [1, 0], wscale: 7 } });
  const { options } = s.sent();
  t.equal(options.ts, undefined);
  t.equal(options.sackOk, undefined);
  t.type(options.wscale, 'number');
  s.inject({ flags: '.' });
  s.done(s.calls.accept(3), 4);
  t.match(Buffer.from(s.calls.getsockopt(4, 6, 13, 16).data ?? []).toString(), /^reno\0/);
  t.end();
});
