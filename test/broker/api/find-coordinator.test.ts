import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import type { Call } from '../../../broker/api/handler.ts'
import { findCoordinator } from '../../../broker/api/find-coordinator.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { FindCoordinatorResponse } from '../../../broker/protocol/messages/find-coordinator.ts'

const ask = (apiVersion: number, coordinatorKeys: readonly string[]) =>
  findCoordinator.handle(
    { key: 'g', keyType: 0, coordinatorKeys },
    {} as never,
    { apiVersion } as Call,
  ) as FindCoordinatorResponse

test('nobody coordinates groups and transactions, and clients are told so, key by key', () => {
  equal(ask(3, []).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  deepEqual(
    ask(4, ['a', 'b']).coordinators.map(({ key, nodeId, errorCode }) => [key, nodeId, errorCode]),
    [
      ['a', -1, ErrorCode.COORDINATOR_NOT_AVAILABLE],
      ['b', -1, ErrorCode.COORDINATOR_NOT_AVAILABLE],
    ],
  )
})
