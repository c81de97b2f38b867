// AlterUserScramCredentials and DescribeUserScramCredentials as decisions: who may be altered, what is kept, what is shown.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { pbkdf2Sync } from 'node:crypto'
import { test } from 'vitest'
import { emptyImage, type MetadataImage } from '../../../broker/metadata/image.ts'
import { alterScramCredentials, describeScramCredentials } from '../../../broker/metadata/scram-credentials.ts'
import type { CredentialDeletion, CredentialUpsertion } from '../../../broker/metadata/scram-credentials.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { decide } from './images.ts'

const SHA_256 = 1
const SHA_512 = 2

const upsertion = (name: string, over: Partial<CredentialUpsertion> = {}): CredentialUpsertion => ({
  name,
  mechanism: SHA_256,
  iterations: 4096,
  salt: Buffer.from('salt'),
  saltedPassword: Buffer.alloc(32, 7),
  ...over,
})

function alter(
  image: MetadataImage,
  deletions: readonly CredentialDeletion[],
  upsertions: readonly CredentialUpsertion[],
) {
  return decide(image, (before, emit) => alterScramCredentials(before, deletions, upsertions, emit))
}

const outcomes = (answer: readonly { user: string; errorCode: ErrorCode; errorMessage: string | null }[]) =>
  answer.map(({ user, errorCode, errorMessage }) => [user, errorCode, errorMessage])

test('a salted password is kept as the keys of RFC 5802, and not itself', () => {
  // The example of RFC 7677, whose keys PostgreSQL prints in its documentation.
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const saltedPassword = pbkdf2Sync('pencil', salt, 4096, 32, 'sha256')
  const { image } = alter(emptyImage, [], [upsertion('user', { salt, saltedPassword })])
  deepEqual(image.scramCredentials.get('user'), {
    'SCRAM-SHA-256': {
      salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
      storedKey: 'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=',
      serverKey: 'wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
      iterations: 4096,
    },
  })
})

test('a user has one credential for each mechanism, and the last of them takes the user along', () => {
  let { image } = alter(emptyImage, [], [upsertion('a')])
  image = alter(image, [], [upsertion('a', { mechanism: SHA_512, iterations: 8192 })]).image
  deepEqual(describeScramCredentials(image, null), [
    {
      user: 'a',
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      credentialInfos: [
        { mechanism: SHA_256, iterations: 4096 },
        { mechanism: SHA_512, iterations: 8192 },
      ],
    },
  ])
  image = alter(image, [{ name: 'a', mechanism: SHA_256 }], []).image
  deepEqual(describeScramCredentials(image, ['a'])[0]!.credentialInfos, [{ mechanism: SHA_512, iterations: 8192 }])
  image = alter(image, [{ name: 'a', mechanism: SHA_512 }], []).image
  equal(image.scramCredentials.size, 0)
})

test('a user who appears twice is not altered, and the others are', () => {
  const twice = 'A user credential cannot be altered twice in the same request'
  const start = alter(emptyImage, [], [upsertion('a'), upsertion('b')]).image
  const { answer, records } = alter(
    start,
    [
      { name: 'a', mechanism: SHA_256 },
      { name: 'b', mechanism: SHA_256 },
    ],
    [upsertion('a', { mechanism: SHA_512 }), upsertion('c'), upsertion('c', { mechanism: SHA_512 }), upsertion('c')],
  )
  deepEqual(outcomes(answer), [
    ['a', ErrorCode.DUPLICATE_RESOURCE, twice],
    ['b', ErrorCode.NONE, null],
    ['c', ErrorCode.DUPLICATE_RESOURCE, twice],
  ])
  deepEqual(records, [{ kind: 'scram-credential-removed', user: 'b', mechanism: 'SCRAM-SHA-256' }])
})

test('what cannot be a credential is refused with the reason', () => {
  const { answer, records } = alter(
    emptyImage,
    [{ name: 'nobody', mechanism: SHA_256 }],
    [
      upsertion(''),
      upsertion('unknown', { mechanism: 0 }),
      upsertion('newer', { mechanism: 3 }),
      upsertion('few', { iterations: 4095 }),
      upsertion('many', { iterations: 16385 }),
      upsertion('empty', { saltedPassword: Buffer.alloc(0) }),
      upsertion('salty', { salt: Buffer.alloc(1025) }),
    ],
  )
  deepEqual(outcomes(answer), [
    ['nobody', ErrorCode.RESOURCE_NOT_FOUND, 'Attempt to delete a user credential that does not exist'],
    ['', ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Username must not be empty'],
    ['unknown', ErrorCode.UNSUPPORTED_SASL_MECHANISM, 'Unknown SCRAM mechanism'],
    ['newer', ErrorCode.UNSUPPORTED_SASL_MECHANISM, 'Unknown SCRAM mechanism'],
    ['few', ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Too few iterations'],
    ['many', ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Too many iterations'],
    ['empty', ErrorCode.UNACCEPTABLE_CREDENTIAL, 'The salted password is empty'],
    ['salty', ErrorCode.UNACCEPTABLE_CREDENTIAL, 'The salt is longer than 1024 bytes'],
  ])
  deepEqual(records, [])
})

test('a request of more than 10,000 changes is refused as a whole', () => {
  const { answer, records } = alter(
    emptyImage,
    [],
    Array.from({ length: 10_001 }, (_, index) => upsertion(`user ${index}`)),
  )
  equal(answer.length, 10_001)
  deepEqual(new Set(answer.map(({ errorCode }) => errorCode)), new Set([ErrorCode.POLICY_VIOLATION]))
  deepEqual(records, [])
})

test('users are described in the order of their names; one named twice, or without a credential, is an error', () => {
  const { image } = alter(emptyImage, [], [upsertion('b'), upsertion('a'), upsertion('__proto__')])
  deepEqual(outcomes(describeScramCredentials(image, ['nobody', 'b', 'a', 'a'])), [
    [
      'a',
      ErrorCode.DUPLICATE_RESOURCE,
      'Cannot describe SCRAM credentials for the same user twice in a single request: a',
    ],
    ['b', ErrorCode.NONE, null],
    ['nobody', ErrorCode.RESOURCE_NOT_FOUND, 'Attempt to describe a user credential that does not exist: nobody'],
  ])
  const everybody = ['__proto__', 'a', 'b']
  deepEqual(
    describeScramCredentials(image, null).map(({ user }) => user),
    everybody,
  )
  deepEqual(describeScramCredentials(image, []), describeScramCredentials(image, null))
})

test('more users than one request may name are refused, each once', () => {
  const users = Array.from({ length: 10_001 }, (_, at) => `user-${at >> 1}`)
  const described = describeScramCredentials(emptyImage, users)
  equal(described.length, 5_001)
  ok(described.every(({ errorCode }) => errorCode === ErrorCode.POLICY_VIOLATION))
})
