import { deepEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorFields } from '../../broker/protocol/error-fields.ts'
import { Metadata } from '../../broker/protocol/messages/metadata.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { array, int16, int32, string, struct, type Shape } from '../../broker/protocol/schema.ts'

function codesIn(shape: Shape, response: object): number[] {
  const codes: number[] = []
  new ErrorFields(shape).visit(
    response,
    (errorCode, _holder, _owner, into: number[]) => void into.push(errorCode),
    codes,
  )
  return codes
}

test('codes are found at every depth, in the order of the lists, and NONE is none', () => {
  const topics = [
    { errorCode: 0, partitions: [{ errorCode: 5 }, { errorCode: 0 }, { errorCode: 9 }] },
    { errorCode: 3, partitions: [] },
  ]
  deepEqual(codesIn(Metadata.response, { topics }), [5, 9, 3])
})

test('a code comes with what it belongs to', () => {
  const seen: unknown[] = []
  const responses = [{ name: 'orders', partitionResponses: [{ index: 4, errorCode: 45 }] }]
  new ErrorFields(Produce.response).visit({ responses }, (...said) => void seen.push(said), 'call')
  deepEqual(seen, [[45, responses[0]!.partitionResponses[0], responses[0], 'call']])
})

test('what an encoder may be spared is no error', () => {
  const shape = {
    errorCode: int16.default(0),
    parts: array({ errorCode: int16 }).nullable(),
    part: struct({ errorCode: int16 }).nullable(),
  }
  deepEqual(codesIn(shape, {}), [])
  deepEqual(codesIn(shape, { errorCode: 0, parts: null, part: null }), [])
  deepEqual(codesIn(shape, { errorCode: 1, parts: [{ errorCode: 2 }], part: { errorCode: 3 } }), [1, 2, 3])
})

test('a response without codes is not walked', () => {
  const response = {
    get names(): never {
      throw new Error('nobody looks here')
    },
  }
  deepEqual(codesIn({ names: array({ name: string, id: int32 }) }, response), [])
})
