import tseslint from 'typescript-eslint'

export default tseslint.config({ ignores: ['dist/', 'data/', 'node_modules/'] }, ...tseslint.configs.recommended, {
  languageOptions: { parserOptions: { projectService: true } },
  files: ['**/*.ts'],
  rules: {
    '@typescript-eslint/no-floating-promises': 'error',
    '@typescript-eslint/no-misused-promises': 'error',
    '@typescript-eslint/await-thenable': 'error',
    '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    '@typescript-eslint/consistent-type-imports': 'error',
    // `interface X extends RequestOf<typeof Y> {}`: a short name in errors and hovers.
    '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
    '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    'no-restricted-syntax': [
      'error',
      { selector: 'TSEnumDeclaration', message: 'Use a literal union or an `as const` object.' },
    ],
    eqeqeq: 'error',
  },
})
