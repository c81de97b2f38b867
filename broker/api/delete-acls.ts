// DeleteAcls (31), v1-3. There is no authorizer: SECURITY_DISABLED for each filter, as by a Kafka without one.
import { refuse } from '../metadata/refusal.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { DeleteAcls } from '../protocol/messages/delete-acls.ts'
import { handler } from './handler.ts'

export const deleteAcls = handler(DeleteAcls, ({ filters }) => ({
  filterResults: filters.map(() => ({
    ...refuse(ErrorCode.SECURITY_DISABLED, 'No Authorizer is configured.'),
    matchingAcls: [],
  })),
}))
