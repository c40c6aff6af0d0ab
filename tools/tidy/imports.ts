import { posix } from 'node:path';
import { type Finding, finding, type Source } from './finding.js';
import { ENTRIES, LAYERS, PROGRAMS, TEST_ENTRY } from './rules.js';
import { type Import, importsOf } from './scan.js';

interface Edge extends Import {
  readonly from: Source;
  /** The source it names, when it is one of ours. */
  readonly to: string | undefined;
}

export interface PackageJson {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** All imports of the tree, resolved. */
function edgesOf(sources: ReadonlyMap<string, Source>): readonly Edge[] {
  return [...sources.values()].flatMap((from) =>
    importsOf(from.scanned).map((found) => ({ ...found, from, to: resolve(sources, from.path, found) })),
  );
}

function resolve(sources: ReadonlyMap<string, Source>, from: string, found: Import): string | undefined {
  if (!found.specifier.startsWith('.')) return undefined;
  const compiled = found.fromDist && from.endsWith('.ts');
  const folder = posix.join(compiled ? 'dist' : '', posix.dirname(from));
  const path = posix.join(folder, found.specifier).replace(/^dist\//, '');
  const candidates = [path, path.replace(/\.js$/, '.ts'), path.replace(/\.mjs$/, '.mts')];
  return candidates.find((candidate) => sources.has(candidate));
}

export function checkImports(sources: ReadonlyMap<string, Source>, packageJson: PackageJson): Finding[] {
  const edges = edgesOf(sources);
  return [...edges.flatMap((edge) => checkEdge(edge, packageJson)), ...cycles(sources, edges), ...dead(sources, edges)];
}

function checkEdge(edge: Edge, packageJson: PackageJson): Finding[] {
  const { from, specifier, to } = edge;
  const say = (message: string): Finding[] => [finding(from, edge.offset, message)];
  const layer = LAYERS.find((candidate) => from.path.startsWith(candidate.prefix));
  if (specifier.startsWith('.')) {
    if (!/\.(?:js|mjs|json)$/.test(specifier)) return say(`'${specifier}' must end in .js, as Node will look for it`);
    if (to === undefined) return specifier.endsWith('.json') ? [] : say(`'${specifier}' is not there`);
    // Naming the program, to start it again, imports nothing.
    if (layer === undefined || (edge.fromDist && to.startsWith('bin/'))) return [];
    const program = PROGRAMS.find((prefix) => to.startsWith(prefix));
    if (program !== undefined && !from.path.startsWith(program) && !/^(?:test|bin)\//.test(from.path)) {
      return say(`${to} belongs to a program: nothing outside ${program} imports it`);
    }
    // `stack/` itself, the last of the stack's layers, joins all of them.
    const fits = to.startsWith(layer.prefix) || layer.imports.some((prefix) => to.startsWith(prefix));
    return fits ? [] : say(`imports point down only: ${layer.prefix} may not import ${to}`);
  }
  if (layer === undefined) return [];
  if (specifier.startsWith('node:')) {
    return layer.outside.node ? [] : say(`${layer.prefix} may not import '${specifier}': it runs without Node`);
  }
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  if (layer.outside.packages === 'none')
    return say(`${layer.prefix} may not import '${specifier}': it needs no package`);
  if (packageJson.dependencies?.[name] !== undefined) return [];
  if (packageJson.devDependencies?.[name] === undefined) return say(`'${name}' is not in package.json`);
  return layer.outside.packages === 'all' ? [] : say(`'${name}' is a development dependency: a user does not have it`);
}

/** Strongly connected files, each cycle named once, at the import that closes it. Types vanish, so they close nothing. */
function cycles(sources: ReadonlyMap<string, Source>, edges: readonly Edge[]): Finding[] {
  const out = new Map<string, Edge[]>();
  for (const edge of edges) {
    if (edge.typeOnly || edge.fromDist || edge.to === undefined || edge.to === edge.from.path) continue;
    const list = out.get(edge.from.path);
    if (list === undefined) out.set(edge.from.path, [edge]);
    else list.push(edge);
  }
  const found: Finding[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    state.set(path, 'open');
    trail.push(path);
    for (const edge of out.get(path) ?? []) {
      const to = edge.to as string;
      if (state.get(to) === 'open') {
        const cycle = [...trail.slice(trail.indexOf(to)), to];
        found.push(finding(edge.from, edge.offset, `imports go in a circle: ${cycle.join(' → ')}`));
      } else if (!state.has(to)) visit(to);
    }
    trail.pop();
    state.set(path, 'done');
  };
  for (const path of [...sources.keys()].sort()) if (!state.has(path)) visit(path);
  return found;
}

/**
 * Files nothing leads to. Shipped code must be reached from an entry point: a file that only its test imports is dead, too.
 * A program may also be named by its path, as something to spawn.
 */
function dead(sources: ReadonlyMap<string, Source>, edges: readonly Edge[]): Finding[] {
  const out = new Map<string, string[]>();
  for (const edge of edges) {
    if (edge.to === undefined) continue;
    out.set(edge.from.path, [...(out.get(edge.from.path) ?? []), edge.to]);
  }
  const paths = [...sources.keys()];
  const byModule = new Map(paths.map((path) => [path.replace(/\.ts$/, '.js').split('/').slice(-2).join('/'), path]));
  for (const [path, source] of sources) {
    for (const span of source.scanned.strings) {
      if (!span.text.endsWith('.js') || span.text.startsWith('.')) continue;
      const named = byModule.get(posix.join(posix.dirname(path), span.text).split('/').slice(-2).join('/'));
      const absolute = byModule.get(span.text.split('/').slice(-2).join('/'));
      for (const to of [named, absolute]) if (to !== undefined) out.set(path, [...(out.get(path) ?? []), to]);
    }
  }
  const reach = (from: readonly string[]): Set<string> => {
    const seen = new Set(from);
    const queue = [...from];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      for (const to of out.get(path) ?? []) {
        if (seen.has(to)) continue;
        seen.add(to);
        queue.push(to);
      }
    }
    return seen;
  };
  const shipped = reach(paths.filter((path) => ENTRIES.some((entry) => entry.test(path))));
  const tested = reach(paths.filter((path) => TEST_ENTRY.test(path)));
  const found: Finding[] = [];
  for (const [path, source] of sources) {
    if (path.startsWith('test/') ? tested.has(path) : shipped.has(path)) continue;
    if (!LAYERS.some((layer) => path.startsWith(layer.prefix))) continue;
    const why = path.startsWith('test/')
      ? 'no test imports it'
      : tested.has(path)
        ? 'only tests import it'
        : 'nothing imports it';
    found.push(finding(source, 0, `dead file: ${why}`));
  }
  return found;
}
