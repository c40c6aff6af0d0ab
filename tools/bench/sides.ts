/** This build, and beside it another commit's. */
import { type Commit, CommitBuild } from './commit-build.js';
import { OWN_PROGRAMS } from './lineup.js';
import { Topology } from './topology.js';
import { withCleanUp } from './way-out.js';

/** One of the two builds. */
export interface Side {
  readonly isNew: boolean;
  /** The folder with its bench programs. */
  readonly programs: string;
}

/** Old first, then new first, and so on: what favours the first or the second of a pair favours both sides. */
export function orderOf<T>(pair: readonly [T, T], run: number): readonly [T, T] {
  return run % 2 === 0 ? pair : [pair[1], pair[0]];
}

/** The sides of a run: ours alone where there is no other. */
export function turnOf(sides: readonly Side[], run: number): readonly Side[] {
  return sides.length === 2 ? orderOf([sides[0], sides[1]], run) : sides;
}

/** Builds the commit if there is one, and opens a topology. Leaves no worktree, namespace or process, whatever happens. */
export async function withSides<T>(
  old: Commit | undefined,
  mtu: number,
  body: (topology: Topology, sides: readonly Side[]) => Promise<T>,
): Promise<T> {
  const build = old === undefined ? undefined : new CommitBuild(old);
  const topology = new Topology(mtu);
  const cleanUp = (): void => {
    topology.close();
    build?.remove();
  };
  return await withCleanUp(cleanUp, async () => {
    const sides: Side[] = [{ isNew: true, programs: OWN_PROGRAMS }];
    if (build !== undefined) {
      process.stderr.write(`building ${build.commit.label}\n`);
      await build.build();
      sides.unshift({ isNew: false, programs: build.programs });
    }
    topology.open();
    return await body(topology, sides);
  });
}
