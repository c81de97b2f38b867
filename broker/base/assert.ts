// Assertions state what must hold if our own code is right. They stay on in production: a broker that has
// lost track of its own state must stop before it writes.

export class AssertionError extends Error {}

export function assert(condition: unknown, mustHold: string): asserts condition {
  if (!condition) throw new AssertionError(`broken invariant: ${mustHold}`)
}
