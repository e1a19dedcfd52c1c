/** Calls `ask` at most once in `ms`, and gives all callers its result. A failure is kept for as long. */
export function cached<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null;
  return () => {
    if (answer === null) {
      answer = ask();
      const forget = () => {
        setTimeout(() => {
          answer = null;
        }, ms).unref();
      };
      answer.then(forget, forget);
    }
    return answer;
  };
}
