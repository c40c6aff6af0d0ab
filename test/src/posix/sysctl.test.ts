import t from 'tap';
import { ScriptedWorld } from '../../../src/posix/scripted-world.js';
import { Settings } from '../../../src/posix/sysctl.js';
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
