import 'abort.dart';
import 'call.dart';
import 'caller.dart';
import 'endpoints.dart';
import 'reading.dart';

/// The webhooks of a token's owner: where ends of jobs are told, what signs them, and what became of each delivery. For Dart
/// servers and tools; the token of an app is better kept away from it, as whoever has the secret can sign.
final class Webhooks {
  /// Asks by [_caller].
  Webhooks(this._caller, this._endpoints);

  final Caller _caller;
  final Endpoints _endpoints;

  /// The settings now.
  Future<WebhookSettings> settings({AbortTrigger? abort}) => _caller.run(
    Call('GET', _endpoints.webhooks, safe: true, abort: abort),
    (answer) async => WebhookSettings.fromJson(await answer.json()),
  );

  /// Has the ends of jobs that name no address of their own told to [url]; null for none.
  Future<WebhookSettings> setUrl(Uri? url, {AbortTrigger? abort}) => _caller.run(
    Call(
      'PUT',
      _endpoints.webhooks,
      headers: jsonHeaders,
      body: jsonBody({'url': url?.toString()}),
      safe: true,
      abort: abort,
    ),
    (answer) async => WebhookSettings.fromJson(await answer.json()),
  );

  /// Makes a new secret. The one before signs as well until [WebhookSettings.oldSecretUntil].
  ///
  /// It is not made again by itself when its answer is lost: [settings] then says which secret counts.
  Future<WebhookSettings> rotateSecret({AbortTrigger? abort}) => _caller.run(
    Call('POST', _endpoints.webhookSecret, abort: abort),
    (answer) async => WebhookSettings.fromJson(await answer.json()),
  );

  /// The newest deliveries, newest first, 100 at most; of the job [jobId] alone if it is given.
  Future<List<WebhookDelivery>> deliveries({String? jobId, AbortTrigger? abort}) async =>
      (await deliveryPage(jobId: jobId, abort: abort)).deliveries;

  /// A page of deliveries, newest first. [cursor] is the [WebhookDeliveryPage.nextCursor] of the page before.
  Future<WebhookDeliveryPage> deliveryPage({String? jobId, String? cursor, AbortTrigger? abort}) =>
      _caller.run(
        Call(
          'GET',
          _endpoints.deliveries({if (jobId != null) 'job_id': jobId, if (cursor != null) 'cursor': cursor}),
          safe: true,
          abort: abort,
        ),
        (answer) async => WebhookDeliveryPage.fromJson(await answer.json()),
      );

  /// One delivery by its `webhook-id`.
  Future<WebhookDelivery> delivery(String id, {AbortTrigger? abort}) => _caller.run(
    Call('GET', _endpoints.delivery(id), safe: true, abort: abort),
    (answer) async => WebhookDelivery.fromJson(await answer.json()),
  );

  /// Has it delivered once more, with the same `webhook-id`, whatever became of it before.
  Future<WebhookDelivery> replay(String id, {AbortTrigger? abort}) => _caller.run(
    // Said twice it is due all the same, and receivers tell repetitions by the id.
    Call('POST', _endpoints.replay(id), safe: true, abort: abort),
    (answer) async => WebhookDelivery.fromJson(await answer.json()),
  );
}

/// Where ends of jobs are told, and what signs them.
final class WebhookSettings {
  /// Reads the server's [json].
  WebhookSettings.fromJson(Map<String, Object?> json)
    : url = json.optUri('url'),
      secret = json.need('secret'),
      oldSecretUntil = json.optTime('old_secret_until');

  /// Told of jobs that name no address of their own; null for none.
  final Uri? url;

  /// Give it to `verifyWebhook`. It is a key: it does not belong in a log, nor in an app.
  final String secret;

  /// Until when the secret before signs as well; null when there is none.
  final DateTime? oldSecretUntil;

  @override
  String toString() => 'WebhookSettings(${url == null ? 'no address' : url!.host})';
}

/// What became of one event to one receiver.
final class WebhookDelivery {
  /// Reads the server's [json].
  WebhookDelivery.fromJson(Map<String, Object?> json)
    : id = json.need('id'),
      jobId = json.need('job_id'),
      event = json.need('event'),
      url = json.needUri('url'),
      state = DeliveryState.values.asNameMap()[_camel(json.need<String>('state'))] ?? DeliveryState.due,
      attempts = json.need('attempts'),
      status = json.opt('status'),
      error = json.opt('error'),
      createdAt = json.needTime('created_at'),
      triedAt = json.optTime('tried_at'),
      nextAt = json.optTime('next_at');

  /// The header `webhook-id`, the same at every attempt.
  final String id;

  /// The job.
  final String jobId;

  /// `job.completed`, `job.failed` or `job.expired`; newer servers may have others.
  final String event;

  /// The receiver. Its query may be a secret.
  final Uri url;

  /// Where it is.
  final DeliveryState state;

  /// How often it was tried.
  final int attempts;

  /// The HTTP status that was answered last; null where nothing was.
  final int? status;

  /// Why nothing was answered, or why it is not tried again, as a stable word.
  final String? error;

  /// When the event happened.
  final DateTime createdAt;

  /// When it was tried last.
  final DateTime? triedAt;

  /// When it is tried next; null unless due.
  final DateTime? nextAt;

  static String _camel(String word) => word == 'given_up' ? 'givenUp' : word;

  @override
  String toString() => 'WebhookDelivery $id: $event, ${state.name} after $attempts';
}

/// A page of deliveries, newest first.
final class WebhookDeliveryPage {
  /// Reads the server's [json].
  WebhookDeliveryPage.fromJson(Map<String, Object?> json)
    : deliveries = [
        for (final delivery in json.need<List<Object?>>('deliveries'))
          WebhookDelivery.fromJson(asObject(delivery)),
      ],
      nextCursor = json.opt('next_cursor');

  /// The deliveries.
  final List<WebhookDelivery> deliveries;

  /// Asks for the next page; null on the last one, and where the server has one page only.
  final String? nextCursor;
}

/// States of a delivery. One that a newer server adds reads as [due].
enum DeliveryState {
  /// It is tried, or tried again.
  due,

  /// The receiver has taken it.
  delivered,

  /// It is not tried again by itself.
  givenUp,
}
