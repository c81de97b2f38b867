// DescribeClientQuotas (48), v0-1. The quotas whose entity matches every component of the filter (KIP-546); `strict` leaves out entities
// with more parts than the filter names.
// - A filter that contradicts itself is INVALID_REQUEST, an unknown type of entity UNSUPPORTED_VERSION, as in Kafka.
import { describeClientQuotas as find } from '../metadata/client-quotas.ts'
import { DONE } from '../metadata/refusal.ts'
import type { QuotaEntity } from '../metadata/image.ts'
import { DescribeClientQuotas } from '../protocol/messages/describe-client-quotas.ts'
import { handler } from './handler.ts'

export const describeClientQuotas = handler(DescribeClientQuotas, (request, { image }) => {
  const found = find(image(), request)
  if ('errorCode' in found) return { ...found, entries: null }
  return {
    ...DONE,
    entries: found.map(({ entity, values }) => ({
      entity: partsOf(entity),
      values: [...values].map(([key, value]) => ({ key, value })),
    })),
  }
})

function partsOf(entity: QuotaEntity) {
  return Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName }))
}
