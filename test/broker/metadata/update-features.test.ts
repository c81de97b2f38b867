// UpdateFeatures as a decision; the errors are those that Kafka 4.4 gives for the same requests.
import { deepEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { UpgradeType, updateFeatures, type FeatureUpdate } from '../../../broker/metadata/update-features.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { decide, imageOf } from './images.ts'

const supported = [
  { name: 'metadata.version', minLevel: 7, maxLevel: 33, initialLevel: 33 },
  { name: 'colour.version', minLevel: 0, maxLevel: 2, initialLevel: 0 },
]
const cluster = imageOf(
  { kind: 'feature-level-set', name: 'metadata.version', level: 33 },
  { kind: 'feature-level-set', name: 'colour.version', level: 1 },
)
const { UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE } = UpgradeType

const update = (feature: string, maxVersionLevel: number, upgradeType: number = UPGRADE): FeatureUpdate => ({
  feature,
  maxVersionLevel,
  upgradeType,
})

const ask = (updates: readonly FeatureUpdate[], validateOnly = false) =>
  decide(cluster, (image, emit) => updateFeatures(image, updates, { validateOnly, brokerId: 1, supported }, emit))

test('levels go up, and down when that is meant; 0 turns a feature off', () => {
  deepEqual(ask([update('colour.version', 2)]).image.features.get('colour.version'), 2)
  const off = ask([update('colour.version', 0, SAFE_DOWNGRADE), update('metadata.version', 33)])
  deepEqual(off.answer, { errorCode: ErrorCode.NONE, errorMessage: null })
  deepEqual([...off.image.features], [['metadata.version', 33]])
})

test('a level that is set already, or none, is fine and records nothing', () => {
  deepEqual(ask([]).records, [])
  deepEqual(ask([update('metadata.version', 33)]).records, [])
  deepEqual(ask([update('colour.version', 2)], true).records, [])
})

test('a feature that is named twice is set once, to what was named last', () => {
  const { records } = ask([update('colour.version', 2), update('colour.version', 1), update('colour.version', 2)])
  deepEqual(records, [{ kind: 'feature-level-set', name: 'colour.version', level: 2 }])
})

test('one update that is wrong stops them all, with the reason', () => {
  const invalid = (level: number, feature: string, reason: string) =>
    `Invalid update version ${level} for feature ${feature}. ${reason}`
  const range = 'Local controller 1 only supports versions 7-33'
  const wrong: [FeatureUpdate, string][] = [
    [update('metadata.version', 99), invalid(99, 'metadata.version', range)],
    [update('metadata.version', 0, UNSAFE_DOWNGRADE), invalid(0, 'metadata.version', range)],
    [update('metadata.version', -1), invalid(-1, 'metadata.version', 'A feature version cannot be less than 0.')],
    [
      update('metadata.version', 25),
      invalid(
        25,
        'metadata.version',
        "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
      ),
    ],
    [update('colour.version', 2, SAFE_DOWNGRADE), invalid(2, 'colour.version', "Can't downgrade to a newer version.")],
    [
      update('metadata.version', 25, SAFE_DOWNGRADE),
      'Unsupported metadata.version downgrade from 33 to 25. Refusing to perform the requested downgrade because it might delete metadata information.',
    ],
    [
      update('metadata.version', 25, UNSAFE_DOWNGRADE),
      'Unsupported metadata.version downgrade from 33 to 25. Unsafe metadata downgrade is not supported in this version.',
    ],
    [update('nonsense', 1), invalid(1, 'nonsense', 'Local controller 1 does not support this feature.')],
    [update('nonsense', 0, SAFE_DOWNGRADE), invalid(0, 'nonsense', 'Feature nonsense not found.')],
    [
      update('metadata.version', 33, 9),
      invalid(33, 'metadata.version', 'The controller does not support the given upgrade type.'),
    ],
  ]
  for (const [bad, reason] of wrong) {
    const { answer, records } = ask([update('colour.version', 2), bad])
    deepEqual(answer, {
      errorCode: ErrorCode.INVALID_UPDATE_VERSION,
      errorMessage: `The update failed for all features since the following feature had an error: ${reason}`,
    })
    deepEqual(records, [])
  }
})
