import 'dart:convert';

import 'transport.dart';

/// Headers of a JSON body.
const jsonHeaders = {'content-type': 'application/json'};

/// [value] as a JSON body.
RequestBody jsonBody(Object value) => RequestBody.bytes(utf8.encode(json.encode(value)));

/// The addresses of the API under one base, which may have a path of its own.
final class Endpoints {
  /// Addresses under [base]: absolute, http or https, without query and fragment.
  Endpoints(Uri base)
    : _base = base.replace(pathSegments: base.pathSegments.where((part) => part.isNotEmpty)) {
    if (!base.isScheme('http') && !base.isScheme('https') || base.host.isEmpty) {
      // The address itself is not named: it may hold a password.
      throw ArgumentError(
        'LaminaClient wants an absolute http or https address, such as https://layers.example.com.',
      );
    }
    if (base.hasQuery || base.hasFragment || base.userInfo.isNotEmpty) {
      throw ArgumentError('LaminaClient wants an address without user, query and fragment.');
    }
  }

  final Uri _base;

  Uri _at(List<String> path, [Map<String, String>? query]) => _base.replace(
    pathSegments: [..._base.pathSegments, 'api', ...path],
    queryParameters: query == null || query.isEmpty ? null : query,
  );

  /// Jobs, a page of them by [query].
  Uri jobs([Map<String, String>? query]) => _at(['jobs'], query);

  /// One job.
  Uri job(String id, [Map<String, String>? query]) => _at(['jobs', id], query);

  /// Its layers.
  Uri layers(String id) => _at(['jobs', id, 'layers']);

  /// Its events.
  Uri events(String id) => _at(['jobs', id, 'events']);

  /// A file of all its layers.
  Uri export(String id, String format, [Map<String, String>? query]) =>
      _at(['jobs', id, 'export', format], query);

  /// Its layers in one picture.
  Uri composite(String id, [Map<String, String>? query]) => _at(['jobs', id, 'composite'], query);

  /// Uploads in one request.
  Uri get upload => _at(['upload']);

  /// Tickets.
  Uri get uploads => _at(['uploads']);

  /// How far an upload is.
  Uri uploadStatus(String id) => _at(['uploads', id]);

  /// Resumable uploads.
  Uri get tus => _at(['uploads', 'tus']);

  /// One resumable upload. Built from its id and not from `Location`, so that a server which is reached under another
  /// name than it knows works as well.
  Uri tusUpload(String id) => _at(['uploads', 'tus', id]);

  /// Events of all jobs.
  Uri get allEvents => _at(['events']);

  /// Where ends of jobs are told.
  Uri get webhooks => _at(['webhooks']);

  /// What signs them.
  Uri get webhookSecret => _at(['webhooks', 'secret']);

  /// What became of deliveries, those that [query] names.
  Uri deliveries([Map<String, String>? query]) => _at(['webhooks', 'deliveries'], query);

  /// One delivery.
  Uri delivery(String id) => _at(['webhooks', 'deliveries', id]);

  /// Delivers again.
  Uri replay(String id) => _at(['webhooks', 'deliveries', id, 'replay']);
}
