const REFERENCES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

export function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (sign) => REFERENCES[sign] ?? sign);
}
