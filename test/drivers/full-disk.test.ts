/** A capture on a disk that is really full: a tmpfs of 128 KiB, mounted by a child in a mount namespace of its own. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const skip = process.getuid?.() === 0 ? false : 'needs root, to mount a file system';
const program = fileURLToPath(new URL('./fill-disk.js', import.meta.url));

t.test('a disk of 128 KiB → told when it is full, a file of whole blocks, all frames counted', { skip }, (t) => {
  const where = t.testdir();
  const script = 'mount -t tmpfs -o size=128k none "$1" && exec "$2" "$3" "$1"';
  const output = execFileSync('unshare', ['-m', 'sh', '-c', script, 'sh', where, process.execPath, program], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '' },
  });
  const seen = JSON.parse(output);
  t.equal(seen.said.length, 1);
  t.match(seen.said[0], /could not be written \(ENOSPC/);
  t.ok(seen.toldAfter > 60 && seen.toldAfter < 90, `told after ${seen.toldAfter} frames of 1.5 kB`);
  t.equal(seen.problem, '', 'the reader finds whole blocks');
  t.equal(seen.packets, seen.framesWritten);
  t.equal(seen.framesWritten + seen.framesMissing, 200);
  t.equal(seen.bytes, seen.claimed);
  t.same(seen.dropped, [seen.framesMissing], 'and the file itself says how many are missing');
  t.end();
});
