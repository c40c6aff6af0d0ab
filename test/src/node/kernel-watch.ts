import { createHook } from 'node:async_hooks';

/** Node's names for what lies on a socket of the kernel's, server or client, stream or datagram, pipes included. */
const KERNEL = /^(TCP|UDP|PIPE)/;

/** Whatever is made between `begin` and `end` on the kernel: the list of its kinds. Node reports each handle as it is made. */
export class KernelWatch {
  readonly seen: string[] = [];
  readonly #hook = createHook({
    init: (_id, type) => {
      if (KERNEL.test(type)) this.seen.push(type);
    },
  });
  begin(): this {
    this.#hook.enable();
    return this;
  }
  end(): string[] {
    this.#hook.disable();
    return this.seen;
  }
}
