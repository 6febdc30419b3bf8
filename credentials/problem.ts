/** What is wrong with a credential, with no character of it, and what to do. */
export interface CredentialProblem {
  readonly problem: string;
  readonly remedy: string;
}
