import 'reading.dart';

/// All layers of a job as one file, by a link.
final class ExportLink {
  /// Reads the server's [json].
  ExportLink.fromJson(Map<String, Object?> json)
    : format = json.need('format'),
      url = json.needUri('url'),
      contentType = json.opt('content_type') ?? 'application/octet-stream',
      extension = json.opt('extension') ?? json.need('format');

  /// `psd`, `ora`, `pptx`, `svg`, `zip`, `tiff` or `gif`; newer servers may have others.
  final String format;

  /// A signed link to the file, for a browser or a download manager; it needs no header and ends with the job. Whoever has it can open it: it does not
  /// belong in a log.
  final Uri url;

  /// Type of the file.
  final String contentType;

  /// The ending of its name, without a dot.
  final String extension;

  @override
  String toString() => 'ExportLink $format ($contentType)';
}
