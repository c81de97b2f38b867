// The rest of what an administrator may ask of one broker, as it goes over the wire.
import { deepEqual, equal, match } from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'vitest'
import { alterPartitionReassignments } from '../../../broker/api/alter-partition-reassignments.ts'
import { alterReplicaLogDirs } from '../../../broker/api/alter-replica-log-dirs.ts'
import { createAcls } from '../../../broker/api/create-acls.ts'
import { createDelegationToken } from '../../../broker/api/create-delegation-token.ts'
import { deleteAcls } from '../../../broker/api/delete-acls.ts'
import { describeAcls } from '../../../broker/api/describe-acls.ts'
import { describeDelegationToken } from '../../../broker/api/describe-delegation-token.ts'
import { describeQuorum } from '../../../broker/api/describe-quorum.ts'
import { electLeaders } from '../../../broker/api/elect-leaders.ts'
import { expireDelegationToken } from '../../../broker/api/expire-delegation-token.ts'
import { listPartitionReassignments } from '../../../broker/api/list-partition-reassignments.ts'
import { renewDelegationToken } from '../../../broker/api/renew-delegation-token.ts'
import { unregisterBroker } from '../../../broker/api/unregister-broker.ts'
import { updateFeatures } from '../../../broker/api/update-features.ts'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from '../../../broker/metadata/topic-names.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { AlterPartitionReassignments } from '../../../broker/protocol/messages/alter-partition-reassignments.ts'
import { AlterReplicaLogDirs } from '../../../broker/protocol/messages/alter-replica-log-dirs.ts'
import { CreateAcls } from '../../../broker/protocol/messages/create-acls.ts'
import { CreateDelegationToken } from '../../../broker/protocol/messages/create-delegation-token.ts'
import { DeleteAcls } from '../../../broker/protocol/messages/delete-acls.ts'
import { DescribeAcls } from '../../../broker/protocol/messages/describe-acls.ts'
import { DescribeDelegationToken } from '../../../broker/protocol/messages/describe-delegation-token.ts'
import { DescribeQuorum } from '../../../broker/protocol/messages/describe-quorum.ts'
import { ElectLeaders } from '../../../broker/protocol/messages/elect-leaders.ts'
import { ExpireDelegationToken } from '../../../broker/protocol/messages/expire-delegation-token.ts'
import { ListPartitionReassignments } from '../../../broker/protocol/messages/list-partition-reassignments.ts'
import { RenewDelegationToken } from '../../../broker/protocol/messages/renew-delegation-token.ts'
import { UnregisterBroker } from '../../../broker/protocol/messages/unregister-broker.ts'
import { UpdateFeatures } from '../../../broker/protocol/messages/update-features.ts'
import { BROKER_ID, testBroker } from './fixture.ts'

test('without an authorizer every question about ACLs is SECURITY_DISABLED, in every version', async () => {
  const broker = await testBroker()
  const filter = {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  }
  const creation = {
    resourceType: 2,
    resourceName: 't',
    principal: 'nonsense',
    host: '*',
    operation: 99,
    permissionType: 3,
  }
  for (const version of [1, 2, 3]) {
    const described = await broker.ask(DescribeAcls, describeAcls, version, filter)
    deepEqual([described.errorCode, described.resources], [ErrorCode.SECURITY_DISABLED, []])
    const { results } = await broker.ask(CreateAcls, createAcls, version, { creations: [creation, creation] })
    deepEqual(
      results.map(({ errorCode }) => errorCode),
      [ErrorCode.SECURITY_DISABLED, ErrorCode.SECURITY_DISABLED],
    )
    const { filterResults } = await broker.ask(DeleteAcls, deleteAcls, version, { filters: [filter] })
    equal(filterResults[0]!.errorCode, ErrorCode.SECURITY_DISABLED)
  }
})

test('delegation tokens are off, and those whom nobody has authenticated may not even ask', async () => {
  const broker = await testBroker()
  const asked: [string, ErrorCode][] = [
    ['User:ANONYMOUS', ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED],
    ['User:alice', ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED],
  ]
  for (const [principal, code] of asked) {
    const hmac = Buffer.from('x')
    const request = { renewers: [], maxLifetimeMs: -1 }
    for (const version of [1, 2, 3]) {
      const created = await broker.ask(
        CreateDelegationToken,
        createDelegationToken,
        version,
        version < 3 ? request : { ...request, ownerPrincipalType: null, ownerPrincipalName: null },
        { principal },
      )
      deepEqual([created.errorCode, `${created.principalType}:${created.principalName}`], [code, principal])
      const described = await broker.ask(
        DescribeDelegationToken,
        describeDelegationToken,
        version,
        { owners: null },
        { principal },
      )
      equal(described.errorCode, code)
    }
    const renewal = { hmac, renewPeriodMs: 1 }
    const renewed = await broker.ask(RenewDelegationToken, renewDelegationToken, 2, renewal, { principal })
    const expiry = { hmac, expiryTimePeriodMs: 1 }
    const expired = await broker.ask(ExpireDelegationToken, expireDelegationToken, 2, expiry, { principal })
    deepEqual([renewed.errorCode, expired.errorCode], [code, code])
  }
})

test('the only broker leads already, whatever election is asked for', async () => {
  const broker = await testBroker()
  await broker.createTopic('t', { partitions: 2 })
  for (const version of [0, 1, 2]) {
    const { errorCode, replicaElectionResults } = await broker.ask(ElectLeaders, electLeaders, version, {
      topicPartitions: [{ topic: 't', partitions: [0, 1] }],
    })
    equal(errorCode, ErrorCode.NONE)
    deepEqual(
      replicaElectionResults[0]!.partitionResult.map(each => each.errorCode),
      [ErrorCode.ELECTION_NOT_NEEDED, ErrorCode.ELECTION_NOT_NEEDED],
    )
  }
  const all = await broker.ask(ElectLeaders, electLeaders, 2, { topicPartitions: null })
  deepEqual(all.replicaElectionResults, [{ topic: 't', partitionResult: [] }])
  const unknown = await broker.ask(ElectLeaders, electLeaders, 2, {
    electionType: 7,
    topicPartitions: [{ topic: 't', partitions: [0] }],
  })
  equal(unknown.errorCode, ErrorCode.INVALID_REQUEST)
  equal(unknown.replicaElectionResults[0]!.partitionResult[0]!.errorMessage, 'Unknown election type 7')
})

test('a replica that is made the preferred one leads when that is asked for; a lost decision is told as one', async () => {
  const broker = await testBroker()
  await broker.createTopic('t', { assignments: [[2, 1]] })
  await broker.context.controller.alterPartitionReassignments([
    { name: 't', partitions: [{ partitionIndex: 0, replicas: [1, 2] }] },
  ])
  const elect = async (version: number) => {
    const topicPartitions = [{ topic: 't', partitions: [0] }]
    const answer = await broker.ask(ElectLeaders, electLeaders, version, { topicPartitions })
    return [answer.errorCode, answer.replicaElectionResults[0]!.partitionResult[0]!.errorCode]
  }
  broker.metadataLog.refusesNext = true
  deepEqual(await elect(0), [ErrorCode.NONE, ErrorCode.NOT_CONTROLLER])
  broker.metadataLog.refusesNext = true
  deepEqual(await elect(2), [ErrorCode.NOT_CONTROLLER, ErrorCode.NOT_CONTROLLER])
  equal(broker.context.image().topics.get('t')!.partitions[0]!.leader, 2)
  deepEqual(await elect(2), [ErrorCode.NONE, ErrorCode.NONE])
  equal(broker.context.image().topics.get('t')!.partitions[0]!.leader, 1)
})

test('a partition may be reassigned to where it is, and nothing is under way then', async () => {
  const broker = await testBroker()
  await broker.createTopic('t')
  for (const version of [0, 1]) {
    const answer = await broker.ask(AlterPartitionReassignments, alterPartitionReassignments, version, {
      topics: [
        { name: 't', partitions: [{ partitionIndex: 0, replicas: [BROKER_ID] }] },
        { name: 't', partitions: [{ partitionIndex: 0, replicas: [99] }] },
      ],
    })
    equal(answer.errorCode, ErrorCode.NONE)
    deepEqual(
      answer.responses.map(({ partitions }) => partitions[0]!.errorCode),
      [ErrorCode.NONE, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    )
  }
  const wanted = [
    { name: 't', partitionIndexes: [0, 9] },
    { name: 'missing', partitionIndexes: [0] },
  ]
  for (const topics of [null, wanted]) {
    const listed = await broker.ask(ListPartitionReassignments, listPartitionReassignments, 0, { topics })
    deepEqual([listed.errorCode, listed.topics], [ErrorCode.NONE, []])
  }
})

test('the quorum of the metadata log is this broker, with the epoch and the end of the log', async () => {
  const broker = await testBroker()
  const log = broker.context.logs.create(METADATA_TOPIC_ID, 0, METADATA_TOPIC, {} as never) as unknown as {
    endOffset: number
    flushedOffset: number
  }
  Object.assign(log, { endOffset: 12, flushedOffset: 11 })
  for (const version of [0, 1, 2]) {
    const { errorCode, topics, nodes } = await broker.ask(DescribeQuorum, describeQuorum, version, {
      topics: [{ topicName: METADATA_TOPIC, partitions: [{ partitionIndex: 0 }] }],
    })
    equal(errorCode, ErrorCode.NONE)
    const [partition] = topics[0]!.partitions
    deepEqual(
      [partition!.errorCode, partition!.leaderId, partition!.leaderEpoch, partition!.highWatermark],
      [ErrorCode.NONE, BROKER_ID, 1, 11],
    )
    const [voter] = partition!.currentVoters
    deepEqual([voter!.replicaId, voter!.logEndOffset], [BROKER_ID, 12])
    equal(voter!.lastFetchTimestamp, version === 0 ? -1 : broker.clock.now())
    if (version < 2) continue
    equal(voter!.replicaDirectoryId.length, 22)
    deepEqual(nodes, [
      { nodeId: BROKER_ID, listeners: [{ name: 'PLAINTEXT', host: `broker-${BROKER_ID}`, port: 9092 }] },
    ])
  }
})

test('there is no other quorum', async () => {
  const broker = await testBroker()
  const ask = (...topics: [string, number[]][]) =>
    broker.ask(DescribeQuorum, describeQuorum, 2, {
      topics: topics.map(([topicName, partitions]) => ({
        topicName,
        partitions: partitions.map(partitionIndex => ({ partitionIndex })),
      })),
    })
  for (const partitions of [[1], [0, 0]]) {
    const { topics } = await ask([METADATA_TOPIC, partitions])
    deepEqual(
      topics[0]!.partitions.map(({ errorCode }) => errorCode),
      partitions.map(() => ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    )
  }
  equal((await ask(['t', [0]])).topics[0]!.partitions[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  deepEqual((await ask()).topics, [])
})

test('features keep their level in every version, and one that is not supported is refused as a whole', async () => {
  const broker = await testBroker()
  for (const version of [0, 1, 2]) {
    const good = await broker.ask(UpdateFeatures, updateFeatures, version, {
      featureUpdates: [{ feature: 'metadata.version', maxVersionLevel: 33 }],
    })
    equal(good.errorCode, ErrorCode.NONE)
    equal(good.results.length, version < 2 ? 1 : 0)
    const bad = await broker.ask(UpdateFeatures, updateFeatures, version, {
      featureUpdates: [
        { feature: 'metadata.version', maxVersionLevel: 33 },
        { feature: 'no.such.version', maxVersionLevel: 1 },
      ],
    })
    deepEqual([bad.errorCode, bad.results], [ErrorCode.INVALID_UPDATE_VERSION, []])
    match(bad.errorMessage!, /^The update failed for all features .* no\.such\.version/)
  }
  const downgrade = await broker.ask(UpdateFeatures, updateFeatures, 0, {
    featureUpdates: [{ feature: 'metadata.version', maxVersionLevel: 20, allowDowngrade: true }],
  })
  match(downgrade.errorMessage!, /Unsupported metadata\.version downgrade from 33 to 20/)
})

test('a broker is forgotten when it is gone and nothing depends on it', async () => {
  const broker = await testBroker()
  const { controller, loader } = broker.context
  await broker.createTopic('t', { assignments: [[2]] })
  const ask = (brokerId: number) => broker.ask(UnregisterBroker, unregisterBroker, 0, { brokerId })
  deepEqual(
    [(await ask(77)).errorCode, (await ask(-1)).errorMessage],
    [ErrorCode.BROKER_ID_NOT_REGISTERED, 'Broker ID -1 is not currently registered'],
  )
  const alive = await ask(BROKER_ID)
  deepEqual(
    [alive.errorCode, alive.errorMessage],
    [ErrorCode.INVALID_REQUEST, 'Broker ID 1 is alive: stop it before it is unregistered.'],
  )
  await controller.setFenced(2, loader.image.brokers.get(2)!.brokerEpoch, true)
  const needed = await ask(2)
  equal(needed.errorCode, ErrorCode.INVALID_REQUEST)
  match(needed.errorMessage!, /last replica in sync of 1 partition/)
  await controller.deleteTopics([{ name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }])
  equal((await ask(2)).errorCode, ErrorCode.NONE)
  equal(loader.image.brokers.has(2), false)
})

test('a broker with one directory moves nothing: replicas are there, or the directory is not', async () => {
  const broker = await testBroker()
  await broker.createTopic('t')
  const here = resolve(broker.context.config.logDir)
  const ask = async (version: number, path: string, name: string, partitions: number[]) => {
    const { results } = await broker.ask(AlterReplicaLogDirs, alterReplicaLogDirs, version, {
      dirs: [{ path, topics: [{ name, partitions }] }],
    })
    return results.flatMap(topic => topic.partitions.map(({ errorCode }) => errorCode))
  }
  for (const version of [1, 2]) {
    deepEqual(await ask(version, here, 't', [0, 9]), [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    deepEqual(await ask(version, here, 'missing', [0]), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    deepEqual(await ask(version, '/nowhere', 't', [0]), [ErrorCode.LOG_DIR_NOT_FOUND])
  }
  const { results } = await broker.ask(AlterReplicaLogDirs, alterReplicaLogDirs, 2, {
    dirs: ['/nowhere', here].map(path => ({ path, topics: [{ name: 't', partitions: [0] }] })),
  })
  deepEqual(results, [{ topicName: 't', partitions: [{ partitionIndex: 0, errorCode: ErrorCode.NONE }] }])
})
