import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { ConfigOperation, ResourceType } from '../../broker/metadata/configs.ts'
import { ErrorCode } from '../../broker/protocol/errors.ts'
import { ApiVersions } from '../../broker/protocol/messages/api-versions.ts'
import { IncrementalAlterConfigs } from '../../broker/protocol/messages/incremental-alter-configs.ts'
import { startTestBroker, type TestBroker } from './in-process.ts'

async function setForAll(connection: BrokerConnection, name: string, value: string): Promise<void> {
  const configs = [{ name, configOperation: ConfigOperation.SET, value }]
  const resources = [{ resourceType: ResourceType.BROKER, resourceName: '', configs }]
  const { responses } = await connection.request(IncrementalAlterConfigs, 1, { resources, validateOnly: false })
  equal(responses[0]!.errorCode, ErrorCode.NONE)
}

async function isServed(broker: TestBroker): Promise<boolean> {
  const connection = await BrokerConnection.open(tcpTransport, broker.address, 'test')
  try {
    await connection.request(ApiVersions, 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' })
    return true
  } catch {
    return false
  } finally {
    connection.close()
  }
}

/** The broker may not have noticed yet that an earlier connection has gone. */
async function isSoonServed(broker: TestBroker): Promise<boolean> {
  const deadlineMs = performance.now() + 20_000
  while (performance.now() < deadlineMs) if (await isServed(broker)) return true
  return false
}

test('a limit of connections acts as soon as it is altered, and still does after a restart', async () => {
  const broker = await startTestBroker()
  const connection = await BrokerConnection.open(tcpTransport, broker.address, 'test')
  equal(await isServed(broker), true)
  await setForAll(connection, 'max.connections', '1')
  equal(await isServed(broker), false)
  await setForAll(connection, 'max.connections', '2')
  equal(await isSoonServed(broker), true)
  await setForAll(connection, 'max.connections.per.ip', '1')
  equal(await isServed(broker), false)
  connection.close()
  await broker.stop()
  const again = await startTestBroker({}, { folder: broker.folder })
  const only = await BrokerConnection.open(tcpTransport, again.address, 'test')
  equal(await isServed(again), false)
  only.close()
  await again.remove()
})
