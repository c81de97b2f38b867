// CreateAcls (30), v1-3. There is no authorizer: SECURITY_DISABLED for each ACL, as by a Kafka without one.
import { refuse } from '../metadata/refusal.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { CreateAcls } from '../protocol/messages/create-acls.ts'
import { handler } from './handler.ts'

export const createAcls = handler(CreateAcls, ({ creations }) => ({
  results: creations.map(() => refuse(ErrorCode.SECURITY_DISABLED, 'No Authorizer is configured.')),
}))
