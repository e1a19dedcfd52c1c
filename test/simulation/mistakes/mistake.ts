/** A mistake that somebody could make, as an edit of one place of the code. */
export interface Mistake {
  name: string;
  file: string;
  /** Stands in the file exactly once. */
  find: string;
  /** What stands there instead. */
  put: string;
  /** What `find` is in the language: how the switch between both is written. */
  as: "expression" | "statement" | "arguments";
  /** The seed of a scenario in which the simulation noticed it. A change of the code may give it another. */
  seed: number;
}
