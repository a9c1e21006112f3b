import 'request.dart';

/// How far a split has come: what another run of the app needs to go on with it, and no picture. Keep [toJson] whenever an event came, and give it
/// to `LaminaClient.resumeSplit`.
final class SplitPoint {
  const SplitPoint._({this.uploadId, this.request, this.jobId});

  /// The picture is being sent in parts, as the upload [id].
  const SplitPoint.uploading(String id) : this._(uploadId: id);

  /// The picture was sent, and the job is made by [request]: made again, it is the same job.
  const SplitPoint.sent(JobRequest request) : this._(request: request);

  /// The job [id] was made.
  const SplitPoint.created(String id) : this._(jobId: id);

  /// Reads what [toJson] gave. Throws a [FormatException] for anything else.
  factory SplitPoint.fromJson(Map<String, Object?> json) => switch (json) {
    {'job_id': final String id} => SplitPoint.created(id),
    {'request': final Map<String, Object?> request} => SplitPoint.sent(JobRequest.fromJson(request)),
    {'upload_id': final String id} => SplitPoint.uploading(id),
    _ => throw const FormatException('Not a SplitPoint as toJson gives it.'),
  };

  /// The upload that was begun in parts; null once it was sent.
  final String? uploadId;

  /// What makes the job; null before the picture was sent, and once the job was made.
  final JobRequest? request;

  /// The job; null until it was made.
  final String? jobId;

  /// Whether going on needs the picture.
  bool get needsPicture => uploadId != null;

  /// To be kept.
  Map<String, Object?> toJson() => {
    if (jobId != null) 'job_id': jobId,
    if (request != null) 'request': request!.toJson(),
    if (uploadId != null) 'upload_id': uploadId,
  };

  @override
  String toString() => switch (this) {
    SplitPoint(:final jobId?) => 'SplitPoint: job $jobId',
    SplitPoint(request: _?) => 'SplitPoint: sent',
    _ => 'SplitPoint: upload $uploadId',
  };
}
