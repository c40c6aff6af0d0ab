import { createHook } from 'node:async_hooks';

/**
 * Node's names for what connects, listens or sends by the kernel. Not `TCPWRAP` itself: a handle that does none of these has no socket of the
 * kernel's, and ours may keep one for the order of close callbacks.
 */
const KERNEL = /^(TCPCONNECT|TCPSERVER|PIPECONNECT|PIPESERVER|UDP)/;

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
