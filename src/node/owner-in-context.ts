import type { AsyncResource } from 'node:async_hooks';
import type { ErrorCode } from '../../stack/base/errors.js';
import { contextOf, runIn } from '../host/context.js';
import type { ChannelOwner } from './channel-table.js';

/** Tells an owner all that its channel says in the asynchronous context of who made the owner. */
export class OwnerInContext implements ChannelOwner {
  readonly context: AsyncResource = contextOf('MillraceSocket');
  readonly #owner: ChannelOwner;

  constructor(owner: ChannelOwner) {
    this.#owner = owner;
  }

  channelData(bytes: Uint8Array, count: number): void {
    runIn(this.context, () => this.#owner.channelData(bytes, count));
  }
  channelEnd(): void {
    runIn(this.context, () => this.#owner.channelEnd());
  }
  channelFailed(code: ErrorCode): void {
    runIn(this.context, () => this.#owner.channelFailed(code));
  }
  channelConnected(code: ErrorCode | undefined): void {
    runIn(this.context, () => this.#owner.channelConnected(code));
  }
  channelWritten(code: ErrorCode | undefined): void {
    runIn(this.context, () => this.#owner.channelWritten(code));
  }
}
