/**
 * True where a Dockerfile declares a build argument, so that its value may enter the image. A line of a heredoc that
 * looks like a declaration counts too: that costs a build, the other error would give an image the wrong version.
 */
export function dockerfileDeclares(dockerfile: string, argument: string): boolean {
  const withoutComments = dockerfile.replace(/^[ \t]*#.*(?:\r?\n|$)/gm, "");
  const instructions = withoutComments.replace(/[\\`][ \t]*\r?\n/g, " ").split(/\r?\n/);
  return instructions.some((line) => {
    const [instruction, ...words] = line.trim().split(/\s+/);
    return instruction?.toUpperCase() === "ARG" && words.some((word) => word.split("=")[0] === argument);
  });
}
