// ApiVersions and DescribeCluster.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { apiVersions } from '../../../broker/api/api-versions.ts'
import type { Context } from '../../../broker/api/context.ts'
import { describeCluster } from '../../../broker/api/describe-cluster.ts'
import type { Call } from '../../../broker/api/handler.ts'
import { apis } from '../../../broker/api/index.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { ApiVersions, type ApiVersionsResponse } from '../../../broker/protocol/messages/api-versions.ts'
import { DescribeCluster } from '../../../broker/protocol/messages/describe-cluster.ts'
import type { RequestInit } from '../../../broker/protocol/schema.ts'
import { LISTENER, testBroker, type TestBroker } from './fixture.ts'

const versions = (broker: TestBroker, version: number, over: Partial<RequestInit<typeof ApiVersions>> = {}) =>
  broker.ask(ApiVersions, serving, version, { clientSoftwareName: 'kcat', clientSoftwareVersion: '1.7.0', ...over })

// The fixture's broker serves nothing by itself.
const serving = {
  ...apiVersions,
  handle: (request: unknown, context: Context, call: Call) => apiVersions.handle(request, { ...context, apis }, call),
}

test('in every version exactly what is served is told, Produce from version 0', async () => {
  const broker = await testBroker()
  for (let version = 0; version <= 5; version++) {
    const { errorCode, apiKeys } = await versions(broker, version)
    equal(errorCode, ErrorCode.NONE)
    deepEqual(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, minVersion, maxVersion]),
      [...apis.values()].map(({ api, versions: [oldest, latest] }) => [api.key, api.key === 0 ? 0 : oldest, latest]),
    )
  }
})

test('the features of the cluster are told to those who know them', async () => {
  const broker = await testBroker()
  deepEqual((await versions(broker, 2)).supportedFeatures, [])
  const { supportedFeatures, finalizedFeatures, finalizedFeaturesEpoch } = await versions(broker, 4)
  deepEqual(supportedFeatures, [
    { name: 'metadata.version', minVersion: 7, maxVersion: 33 },
    { name: 'transaction.version', minVersion: 0, maxVersion: 2 },
  ])
  deepEqual(finalizedFeatures, [
    { name: 'metadata.version', maxVersionLevel: 33, minVersionLevel: 33 },
    { name: 'transaction.version', maxVersionLevel: 2, minVersionLevel: 2 },
  ])
  equal(finalizedFeaturesEpoch, broker.context.image().version)
})

test('a version that we do not know is answered with the ranges, so that the client can ask again', async () => {
  const broker = await testBroker()
  const { context } = broker
  const call = { apiVersion: 99, connection: { listenerName: LISTENER } } as Call
  const answer = (await apiVersions.handle(null, { ...context, apis }, call)) as ApiVersionsResponse
  equal(answer.errorCode, ErrorCode.UNSUPPORTED_VERSION)
  deepEqual(
    answer.apiKeys.find(({ apiKey }) => apiKey === 18),
    { apiKey: 18, minVersion: 0, maxVersion: 5 },
  )
})

test('a client with a name that is no name is refused', async () => {
  const broker = await testBroker()
  for (const name of ['', ' ', '-kcat', 'kcat-', 'k cat', 'käse', 'a\n', '"']) {
    const byName = await versions(broker, 3, { clientSoftwareName: name })
    deepEqual([byName.errorCode, byName.apiKeys], [ErrorCode.INVALID_REQUEST, []], name)
    equal((await versions(broker, 3, { clientSoftwareVersion: name })).errorCode, ErrorCode.INVALID_REQUEST)
  }
  for (const name of ['k', 'apache-kafka-java', 'confluent.kafka.python', '4.1.0-rc1']) {
    equal((await versions(broker, 3, { clientSoftwareName: name })).errorCode, ErrorCode.NONE)
  }
})

test('a client that meant another broker or cluster is sent back to its bootstrap servers', async () => {
  const broker = await testBroker()
  const codeOf = async (clusterId: string | null, nodeId: number, version = 5) =>
    (await versions(broker, version, { clusterId, nodeId })).errorCode
  equal(await codeOf('cluster', 1), ErrorCode.NONE)
  equal(await codeOf(null, -1), ErrorCode.NONE)
  equal(await codeOf('cluster', 2), ErrorCode.REBOOTSTRAP_REQUIRED)
  equal(await codeOf('other', 1), ErrorCode.REBOOTSTRAP_REQUIRED)
  equal(await codeOf('other', 1, 4), ErrorCode.NONE)
})

const cluster = (broker: TestBroker, version: number, over: Partial<RequestInit<typeof DescribeCluster>> = {}) =>
  broker.ask(DescribeCluster, describeCluster, version, { includeClusterAuthorizedOperations: false, ...over })

test('in every version the cluster is described', async () => {
  const broker = await testBroker()
  for (const version of [0, 1, 2]) {
    const { errorCode, clusterId, controllerId, brokers, clusterAuthorizedOperations } = await cluster(broker, version)
    equal(errorCode, ErrorCode.NONE)
    equal(clusterId, 'cluster')
    equal(controllerId, 1)
    deepEqual(
      brokers.map(({ brokerId, host }) => [brokerId, host]),
      [
        [1, 'broker-1'],
        [2, 'broker-2'],
      ],
    )
    equal(clusterAuthorizedOperations, -2147483648)
  }
})

test('fenced brokers are shown when asked for', async () => {
  const broker = await testBroker()
  await broker.context.controller.setFenced(2, broker.context.image().brokers.get(2)!.brokerEpoch, true)
  const shown = async (over: object) =>
    (await cluster(broker, 2, over)).brokers.map(({ brokerId, isFenced }) => [brokerId, isFenced])
  deepEqual(await shown({}), [[1, false]])
  deepEqual(await shown({ includeFencedBrokers: true }), [
    [1, false],
    [2, true],
  ])
})

test('the operations on the cluster are told when asked for', async () => {
  const broker = await testBroker()
  const { clusterAuthorizedOperations } = await cluster(broker, 2, { includeClusterAuthorizedOperations: true })
  equal(clusterAuthorizedOperations, 0b1_1111_1010_0000)
})

test('a broker does not describe controllers', async () => {
  const broker = await testBroker()
  const controllers = await cluster(broker, 1, { endpointType: 2 })
  equal(controllers.errorCode, ErrorCode.MISMATCHED_ENDPOINT_TYPE)
  ok(controllers.errorMessage)
  equal((await cluster(broker, 1, { endpointType: 9 })).errorCode, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE)
})
