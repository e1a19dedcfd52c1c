/** Rows whose facts are read together: few enough that the answers to one batch need little memory. */
const BATCH_ROWS = 25;

/**
 * Makes views of rows that are asked for in their order, and reads what they need for many at a time.
 * @param load makes the views of some rows, in their order
 */
export function inBatches<Row, View>(
  rows: readonly Row[],
  load: (rows: Row[]) => Promise<View[]>,
): (row: Row) => Promise<View> {
  const views = new Map<Row, View>();
  return async (row) => {
    if (!views.has(row)) {
      views.clear();
      const start = rows.indexOf(row);
      const some = rows.slice(start, start + BATCH_ROWS);
      for (const [index, view] of (await load(some)).entries()) views.set(some[index] ?? row, view);
    }
    const view = views.get(row);
    if (view === undefined) throw new Error("a batch was loaded without one of its rows");
    return view;
  };
}
