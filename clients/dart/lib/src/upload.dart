import 'job.dart';
import 'reading.dart';

/// How far a picture is sent.
final class UploadProgress {
  /// So far of [total].
  const UploadProgress(this.sent, this.confirmed, this.total, {this.resumeId});

  /// Bytes that were handed to the connection. What the system buffers is counted, as there is no way to know more:
  /// on a fast line to a slow network it runs ahead by up to some megabytes.
  final int sent;

  /// Bytes that are on the server's disk for certain; 0 for an upload in one request, until its end.
  final int confirmed;

  /// Bytes in all; null for a stream of unknown length.
  final int? total;

  /// Goes on with this upload after the app was closed: keep it, and give it to `upload(resumeId:)`. Null for an upload
  /// in one request.
  final String? resumeId;

  /// 0.0 to 1.0, or null if [total] is not known.
  double? get fraction => switch (total) {
    null => null,
    0 => 1,
    final total => (sent / total).clamp(0, 1).toDouble(),
  };
}

/// How a picture is sent.
enum UploadMethod {
  /// In one request when it is small, [resumable] above a size, [direct] where the server or the source cannot
  /// resume.
  auto,

  /// In one request to the API. The picture is checked at once, so a refusal comes from `upload`.
  direct,

  /// By a ticket, straight to where pictures are kept (a bucket, if the server has one).
  ticket,

  /// In parts that go on after a cut (tus 1.0).
  resumable,
}

/// A picture that was sent: `create(JobRequest.upload(upload.id))` makes a job of it.
final class Upload {
  /// An upload by its id, with what is known of the picture.
  const Upload(this.id, {this.image});

  /// Its id.
  final String id;

  /// The stored picture; null where it is only looked at when a job uses it ([UploadMethod.ticket],
  /// [UploadMethod.resumable]).
  final StoredImage? image;
}

/// A picture as the server keeps it: upright, sRGB, without metadata.
final class StoredImage {
  /// Reads the server's [json].
  StoredImage.fromJson(Map<String, Object?> json)
    : uploadId = json.need('upload_id'),
      url = json.needUri('url'),
      contentType = json.need('content_type'),
      width = json.need('width'),
      height = json.need('height'),
      bytes = json.need('bytes'),
      expiresAt = json.needTime('expires_at');

  /// The upload's id.
  final String uploadId;

  /// A signed link to it, for whoever has it, until [expiresAt].
  final Uri url;

  /// Type of the stored file.
  final String contentType;

  /// Width in pixels, orientation applied.
  final int width;

  /// Height in pixels, orientation applied.
  final int height;

  /// Size of the stored file; it may differ from what was sent.
  final int bytes;

  /// When it goes.
  final DateTime expiresAt;

  @override
  String toString() => 'StoredImage $uploadId ($width×$height $contentType)';
}

/// How far an upload is, as the server sees it.
final class UploadStatus {
  /// Reads the server's [json].
  UploadStatus.fromJson(Map<String, Object?> json)
    : id = json.need('upload_id'),
      state = UploadState.values.asNameMap()[json.need<String>('status')] ?? UploadState.pending,
      receivedBytes = json.opt('received_bytes'),
      expiresAt = json.needTime('expires_at'),
      image = switch (json.opt<Map<String, Object?>>('upload')) {
        null => null,
        final image => StoredImage.fromJson(image),
      };

  /// The upload's id.
  final String id;

  /// How far.
  final UploadState state;

  /// Bytes that have arrived; null once it was checked, and where only a bucket knows.
  final int? receivedBytes;

  /// When it goes.
  final DateTime expiresAt;

  /// The stored picture, once it was checked.
  final StoredImage? image;
}

/// States of an upload.
enum UploadState {
  /// Not there as a whole.
  pending,

  /// There, and not looked at.
  received,

  /// A picture that jobs can use.
  checked,
}

/// A right to send one picture without a token: for a background uploader of the system.
final class UploadTicket {
  /// Reads the server's [json].
  UploadTicket.fromJson(Map<String, Object?> json)
    : uploadId = json.need('upload_id'),
      method = json.need('method'),
      url = json.needUri('url'),
      headers = {
        for (final MapEntry(:key, :value) in json.need<Map<String, Object?>>('headers').entries)
          if (value is String) key.toLowerCase(): value,
      },
      maxBytes = json.need('max_bytes'),
      expiresAt = json.needTime('expires_at');

  /// Give it to [JobRequest.upload] once the picture was sent.
  final String uploadId;

  /// `PUT`.
  final String method;

  /// Where to send the file as it is. Whoever has it can send it: it does not belong in a log.
  final Uri url;

  /// Headers to send with it, exactly.
  final Map<String, String> headers;

  /// The largest file that is taken.
  final int maxBytes;

  /// Until when it can be sent and used.
  final DateTime expiresAt;

  /// [headers] without `content-length`, which HTTP clients set by themselves. With [method], [url] and a binary body,
  /// these are the fields of an `UploadTask` of `background_downloader`.
  Map<String, String> get taskHeaders => {...headers}..remove('content-length');

  @override
  String toString() => 'UploadTicket $uploadId (up to $maxBytes bytes, until $expiresAt)';
}
