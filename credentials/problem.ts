/** What is wrong with a credential, and what to do. It shows no character of the credential. */
export interface CredentialProblem {
  readonly problem: string;
  readonly remedy: string;
}
