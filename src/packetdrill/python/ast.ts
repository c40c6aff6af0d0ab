import type { Place } from '../language/script-error.js';

export type Node =
  | { readonly kind: 'value'; readonly place: Place; readonly value: Value }
  | { readonly kind: 'name'; readonly place: Place; readonly name: string }
  | { readonly kind: 'format'; readonly place: Place; readonly parts: readonly (string | Node)[] }
  | { readonly kind: 'unary'; readonly place: Place; readonly operator: string; readonly operand: Node }
  | {
      readonly kind: 'binary';
      readonly place: Place;
      readonly operator: string;
      readonly left: Node;
      readonly right: Node;
    }
  /** `a < b <= c` */
  | {
      readonly kind: 'compare';
      readonly place: Place;
      readonly operators: readonly string[];
      readonly operands: readonly Node[];
    }
  | {
      readonly kind: 'choose';
      readonly place: Place;
      readonly test: Node;
      readonly then: Node;
      readonly otherwise: Node;
    }
  | { readonly kind: 'call'; readonly place: Place; readonly name: string; readonly args: readonly Node[] }
  | { readonly kind: 'list'; readonly place: Place; readonly items: readonly Node[] }
  | { readonly kind: 'index'; readonly place: Place; readonly of: Node; readonly at: Node };

export type Statement =
  | {
      readonly kind: 'assert';
      readonly place: Place;
      readonly source: string;
      readonly test: Node;
      readonly message: Node | undefined;
    }
  | {
      readonly kind: 'assign';
      readonly place: Place;
      readonly name: string;
      readonly operator: string;
      readonly value: Node;
    }
  | {
      readonly kind: 'if';
      readonly place: Place;
      readonly test: Node;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: 'print'; readonly place: Place; readonly args: readonly Node[] }
  | { readonly kind: 'expression'; readonly place: Place; readonly value: Node }
  | { readonly kind: 'pass'; readonly place: Place };

export type Value = number | string | boolean | null | readonly Value[];
