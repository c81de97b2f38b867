// SCRAM credentials and client quotas: the wire form of what test/broker/metadata specifies.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { alterClientQuotas } from '../../../broker/api/alter-client-quotas.ts'
import { alterUserScramCredentials } from '../../../broker/api/alter-user-scram-credentials.ts'
import { describeClientQuotas } from '../../../broker/api/describe-client-quotas.ts'
import { describeUserScramCredentials } from '../../../broker/api/describe-user-scram-credentials.ts'
import { MatchType } from '../../../broker/metadata/client-quotas.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { AlterClientQuotas } from '../../../broker/protocol/messages/alter-client-quotas.ts'
import { AlterUserScramCredentials } from '../../../broker/protocol/messages/alter-user-scram-credentials.ts'
import { DescribeClientQuotas } from '../../../broker/protocol/messages/describe-client-quotas.ts'
import { DescribeUserScramCredentials } from '../../../broker/protocol/messages/describe-user-scram-credentials.ts'
import { testBroker } from './fixture.ts'

const credential = (name: string) => ({
  name,
  mechanism: 1,
  iterations: 4096,
  salt: Buffer.from('salt'),
  saltedPassword: Buffer.from('salted password'),
})

test('a credential that was set is described, and gone when it was deleted', async () => {
  const broker = await testBroker()
  const alter = (deletions: { name: string; mechanism: number }[], upsertions: ReturnType<typeof credential>[]) =>
    broker.ask(AlterUserScramCredentials, alterUserScramCredentials, 0, { deletions, upsertions })
  const describe = (users: string[] | null) =>
    broker.ask(DescribeUserScramCredentials, describeUserScramCredentials, 0, {
      users: users?.map(name => ({ name })) ?? null,
    })
  const set = await alter([], [credential('alice')])
  deepEqual(set.results, [{ user: 'alice', errorCode: ErrorCode.NONE, errorMessage: null }])
  const infos = [{ mechanism: 1, iterations: 4096 }]
  deepEqual((await describe(null)).results, [
    { user: 'alice', errorCode: ErrorCode.NONE, errorMessage: null, credentialInfos: infos },
  ])
  await alter([{ name: 'alice', mechanism: 1 }], [])
  const { errorCode, results } = await describe(['alice'])
  equal(errorCode, ErrorCode.NONE)
  equal(results[0]!.errorCode, ErrorCode.RESOURCE_NOT_FOUND)
})

test('when the metadata log fails, every user is told to look for the controller', async () => {
  const broker = await testBroker()
  broker.metadataLog.refusesNext = true
  const scram = await broker.ask(AlterUserScramCredentials, alterUserScramCredentials, 0, {
    deletions: [],
    upsertions: [credential('a'), credential('b'), credential('a')],
  })
  deepEqual(
    scram.results.map(({ user, errorCode }) => [user, errorCode]),
    [
      ['a', ErrorCode.NOT_CONTROLLER],
      ['b', ErrorCode.NOT_CONTROLLER],
    ],
  )
})

test('in every version quotas are altered and described', async () => {
  const broker = await testBroker()
  for (const version of [0, 1]) {
    const value = 1000 + version
    const entity = [{ entityType: 'user', entityName: null }]
    const altered = await broker.ask(AlterClientQuotas, alterClientQuotas, version, {
      entries: [{ entity, ops: [{ key: 'producer_byte_rate', value, remove: false }] }],
      validateOnly: false,
    })
    deepEqual(altered.entries, [{ errorCode: ErrorCode.NONE, errorMessage: null, entity }])
    const { errorCode, entries } = await broker.ask(DescribeClientQuotas, describeClientQuotas, version, {
      components: [{ entityType: 'user', matchType: MatchType.DEFAULT, match: null }],
      strict: true,
    })
    equal(errorCode, ErrorCode.NONE)
    deepEqual(entries, [{ entity, values: [{ key: 'producer_byte_rate', value }] }])
  }
})

test('a filter that contradicts itself has no entries, but a message', async () => {
  const broker = await testBroker()
  const { errorCode, errorMessage, entries } = await broker.ask(DescribeClientQuotas, describeClientQuotas, 1, {
    components: [{ entityType: 'role', matchType: 0, match: 'a' }],
    strict: false,
  })
  deepEqual([errorCode, errorMessage, entries], [ErrorCode.UNSUPPORTED_VERSION, 'Unsupported entity type role', null])
})
