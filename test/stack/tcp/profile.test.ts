import t, { type Test } from 'tap';
import { resolveProfile } from '../../../stack/tcp/profile.js';
import { FREEBSD, LINUX } from '../../../stack/tcp/profiles.js';
import { Tcp } from '../../../stack/wire/tcp.js';
import { printTcpOptions } from '../../../stack/wire/tcp-options.js';
import type { PeerOptions } from './peer.js';
import { Peer } from './peer.js';
import { listening, synSent } from './states.js';

/** Profiles: whose TCP this is on the wire. */

/** The options of the stack's SYN, in words, times left out. */
function synOptions(test: Test, options: PeerOptions['tcp']): string {
  const peer = new Peer(test, { tcp: options ?? {} });
  peer.stackPort = 5000;
  peer.peerPort = 7;
  peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, localPort: 5000 });
  peer.flush();
  const { datagram } = peer.expect({ flags: 'S' });
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  return printTcpOptions(view, 20 + Tcp.OPTIONS, datagram.length - 20 - Tcp.OPTIONS).replace(/val \d+ ecr \d+/, '');
}

t.test('OPEN, linux → options in its order, whatever is left out', (t) => {
  t.equal(synOptions(t, {}), 'mss 1460,sackOK,TS ,nop,wscale 10');
  t.equal(synOptions(t, { timestamps: false }), 'mss 1460,nop,nop,sackOK,nop,wscale 10');
  t.equal(synOptions(t, { sack: false }), 'mss 1460,nop,nop,TS ,nop,wscale 10');
  t.equal(synOptions(t, { windowScaling: false, timestamps: false, sack: false }), 'mss 1460');
  t.end();
});

t.test('OPEN, freebsd → options in its order, filled up with EOL', (t) => {
  const profile = 'freebsd';
  t.equal(synOptions(t, { profile }), 'mss 1460,nop,wscale 6,sackOK,TS ');
  t.equal(synOptions(t, { profile, timestamps: false }), 'mss 1460,nop,wscale 6,sackOK,eol');
  t.equal(synOptions(t, { profile, timestamps: false, sack: false }), 'mss 1460,nop,wscale 6');
  t.end();
});

t.test('SYN window, linux and freebsd → half of the buffer in whole segments; all of it', (t) => {
  t.equal(synSent(t).tcp.info(synSent(t).id).rcvWscale, 10);
  const windows = (['linux', 'freebsd'] as const).map((profile) => {
    const peer = listening(t, { tcp: { profile } });
    peer.inject({ flags: 'S', options: peer.synOptions });
    return peer.expect({ flags: 'S.' }).win;
  });
  t.same(windows, [64_240, 65_535]);
  t.end();
});

t.test('a profile’s numbers → defaults, and what the caller says goes before them', (t) => {
  const peer = synSent(t, { tcp: { profile: 'freebsd', rtoMinMs: 77 } });
  t.equal(peer.tcp.limits.rtoMinMs, 77);
  t.equal(peer.tcp.limits.synAckRetries, 3);
  t.equal(peer.tcp.limits.quickAcks, 0);
  t.end();
});

t.test('a profile of the caller’s own → its layout', (t) => {
  const profile = {
    ...FREEBSD,
    name: 'mine',
    synLayout: { ...LINUX.synLayout, withTimestamps: FREEBSD.synLayout.withTimestamps },
  };
  t.equal(synOptions(t, { profile }), 'mss 1460,nop,wscale 6,sackOK,TS ');
  t.throws(() => resolveProfile('plan9' as 'linux'), { code: 'ERR_INVALID_ARG_VALUE' });
  t.end();
});
