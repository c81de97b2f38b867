// Where the error codes are in the responses of an API: found once in the declaration, then visited in every answer. Reads what an
// encoder is given, so a field that was left out is no error.
import type { Shape, Type } from './schema.ts'

/** Gets the struct that has the code, the one that holds the list it is in (null for the response itself), and what `visit` was given. */
export type ErrorVisitor<C> = (errorCode: number, holder: object, owner: object | null, context: C) => void

type Fields = { readonly [name: string]: unknown }

const NONE = 0

/** The places of error codes in one struct and below it. */
export class ErrorFields {
  readonly #hasCode: boolean
  readonly #lists: (readonly [string, ErrorFields])[] = []
  readonly #structs: (readonly [string, ErrorFields])[] = []

  constructor(shape: Shape) {
    this.#hasCode = shape.errorCode?.type.kind === 'int16'
    for (const [name, { type }] of Object.entries(shape)) {
      if (type.kind === 'struct') this.#add(this.#structs, name, type)
      if (type.kind === 'array') this.#add(this.#lists, name, type.element)
    }
  }

  #add(to: (readonly [string, ErrorFields])[], name: string, type: Type): void {
    if (type.kind !== 'struct') return
    const below = new ErrorFields(type.shape)
    if (!below.#isEmpty) to.push([name, below])
  }

  get #isEmpty(): boolean {
    return !this.#hasCode && this.#lists.length === 0 && this.#structs.length === 0
  }

  /** Calls `visitor` for every code but NONE. Allocates nothing. */
  visit<C>(holder: object, visitor: ErrorVisitor<C>, context: C, owner: object | null = null): void {
    const fields = holder as Fields
    if (this.#hasCode) {
      const errorCode = fields.errorCode as number | undefined
      if (errorCode !== undefined && errorCode !== NONE) visitor(errorCode, holder, owner, context)
    }
    for (let at = 0; at < this.#lists.length; at++) {
      const [name, below] = this.#lists[at]!
      const list = fields[name] as readonly object[] | null | undefined
      if (list === null || list === undefined) continue
      for (let i = 0; i < list.length; i++) below.visit(list[i]!, visitor, context, holder)
    }
    for (let at = 0; at < this.#structs.length; at++) {
      const [name, below] = this.#structs[at]!
      const inner = fields[name] as object | null | undefined
      if (inner !== null && inner !== undefined) below.visit(inner, visitor, context, holder)
    }
  }
}
