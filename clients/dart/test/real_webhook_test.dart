/// Webhooks that the real server sends: a Dart server takes them, checks them, and asks what became of each.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:lamina_client/lamina_client.dart';

import 'support/harness.dart';
import 'support/real.dart';
import 'support/servers.dart';

/// One POST as it came.
typedef Received = ({Map<String, String> headers, List<int> body});

/// A Dart server that is told of jobs.
final class Receiver {
  Receiver._(this._server);

  static Future<Receiver> start() async {
    final receiver = Receiver._(await HttpServer.bind(InternetAddress.loopbackIPv4, 0));
    receiver._server.listen(receiver._take);
    return receiver;
  }

  final HttpServer _server;
  final List<Received> received = [];

  /// The statuses of the next answers; 204 when there are none left.
  final List<int> answers = [];

  Uri get uri => Uri.parse('http://127.0.0.1:${_server.port}/hooks?app=1');

  Future<void> close() => _server.close(force: true);

  Future<void> _take(HttpRequest request) async {
    final headers = <String, String>{};
    request.headers.forEach((name, values) => headers[name] = values.join(', '));
    final body = await request.fold(<int>[], (all, chunk) => all..addAll(chunk));
    received.add((headers: headers, body: body));
    request.response.statusCode = answers.isEmpty ? 204 : answers.removeAt(0);
    await request.response.close();
  }

  Future<Received> get first => next(0);

  Future<Received> next(int index) async {
    await until(() => received.length > index, 'a delivery');
    return received[index];
  }
}

late Emulator emulator;
late Server server;

/// Runs [body] with a receiver and a client of a server that may reach it.
Future<void> told(Future<void> Function(LaminaClient lamina, Receiver receiver) body) async {
  final receiver = await Receiver.start();
  try {
    await using(server.uri, (lamina) => body(lamina, receiver));
  } finally {
    await receiver.close();
  }
}

WebhookEvent verified(Received received, WebhookSettings settings) => WebhookEvent.fromJson(
  verifyWebhook(headers: received.headers, body: received.body, secrets: [settings.secret]),
);

void main() {
  test(
    'the end of a job is told to its own address, signed, and nothing that was changed is taken for it',
    () => told((lamina, receiver) async {
      final settings = await lamina.webhooks.settings();
      final created = await lamina.create(falJob(webhookUrl: receiver.uri));
      final delivery = await receiver.first;
      final event = verified(delivery, settings);
      equal((event.type, event.jobId, event.status), (WebhookEvent.completed, created.id, 'completed'));
      equal(event.engine, Engine.fal);
      check((await lamina.layers(event.jobId)).isNotEmpty, 'the layers are there when it is told');

      Map<String, Object?> verify({
        Map<String, String> headers = const {},
        List<int>? body,
        String? secret,
        DateTime? now,
      }) => verifyWebhook(
        headers: {...delivery.headers, ...headers},
        body: body ?? delivery.body,
        secrets: [secret ?? settings.secret],
        now: now,
      );
      final another = utf8.encode(utf8.decode(delivery.body).replaceFirst('completed', 'failed'));
      await throws<WebhookException>(() => verify(body: another));
      await throws<WebhookException>(() => verify(body: [...delivery.body, 10]));
      await throws<WebhookException>(() => verify(headers: {'webhook-id': 'another'}));
      final late = int.parse(delivery.headers['webhook-timestamp']!) + 60;
      await throws<WebhookException>(() => verify(headers: {'webhook-timestamp': '$late'}));
      await throws<WebhookException>(() => verify(secret: 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'));
      await throws<WebhookException>(() => verify(now: DateTime.now().add(const Duration(minutes: 6))));
      final written = '$settings $event ${await lamina.webhooks.delivery(delivery.headers['webhook-id']!)}';
      check(!written.contains(settings.secret) && !written.contains('app=1'), written);
    }),
  );

  test(
    'a failed job is told with its code',
    () => told((lamina, receiver) async {
      final created = await lamina.create(
        falJob(prompt: '[[emulator:content_policy_violation]]', webhookUrl: receiver.uri),
      );
      final event = verified(await receiver.first, await lamina.webhooks.settings());
      equal((event.type, event.jobId), (WebhookEvent.failed, created.id));
      equal(event.errorCode, FailureCode.contentRefused);
      check(event.error!.length > 10, 'a sentence');
    }),
  );

  test(
    'an owner\'s address is told of jobs that name none, until it is taken back',
    () => told((lamina, receiver) async {
      equal((await lamina.webhooks.setUrl(receiver.uri)).url, receiver.uri);
      final created = await lamina.create(falJob());
      final event = verified(await receiver.first, await lamina.webhooks.settings());
      equal(event.jobId, created.id);
      equal((await lamina.webhooks.setUrl(null)).url, null);
      final silent = await lamina.create(falJob());
      await lamina.watch(silent.id).drain<void>();
      equal(await lamina.webhooks.deliveries(jobId: silent.id), <Object>[]);
      final wrong = await throws<InvalidRequestException>(
        () => lamina.webhooks.setUrl(Uri.parse('ftp://example.com/hooks')),
      );
      check(wrong.fields.any((field) => field.pointer == '/url'), '${wrong.fields}');
    }),
  );

  test(
    'while a secret is replaced both are good, and the old one alone for those who have not heard',
    () => told((lamina, receiver) async {
      final before = await lamina.webhooks.settings();
      final after = await lamina.webhooks.rotateSecret();
      check(after.secret != before.secret && after.oldSecretUntil!.isAfter(DateTime.now()), '$after');
      await lamina.create(falJob(webhookUrl: receiver.uri));
      final delivery = await receiver.first;
      verified(delivery, before);
      verified(delivery, after);
    }),
  );

  test(
    'what a receiver refused is seen, tried again, and can be replayed with the same id',
    () => told((lamina, receiver) async {
      receiver.answers.addAll([410]);
      final created = await lamina.create(falJob(webhookUrl: receiver.uri));
      final first = await receiver.first;
      final id = first.headers['webhook-id']!;
      WebhookDelivery? last;
      await until(() async {
        last = (await lamina.webhooks.deliveries(jobId: created.id)).single;
        return last!.state != DeliveryState.due;
      }, 'it is given up');
      equal((last!.id, last!.state, last!.status, last!.attempts), (id, DeliveryState.givenUp, 410, 1));
      check(last!.triedAt != null && last!.nextAt == null && last!.event == WebhookEvent.completed, '$last');
      equal((await lamina.webhooks.replay(id)).id, id);
      final second = await receiver.next(1);
      equal(second.headers['webhook-id'], id);
      equal(verified(second, await lamina.webhooks.settings()).jobId, created.id);
      await until(
        () async => (await lamina.webhooks.delivery(id)).state == DeliveryState.delivered,
        'it is delivered',
      );
      await throws<NotFoundException>(() => lamina.webhooks.delivery('no-such-delivery'));
    }),
  );

  test('an expired job is told', () async {
    final receiver = await Receiver.start();
    await withServer({...reach, ...emulator.environment, 'JOB_TTL': '3s'}, (own) async {
      await using(own.uri, (lamina) async {
        final created = await lamina.create(falJob(webhookUrl: receiver.uri));
        final settings = await lamina.webhooks.settings();
        final told = verified(await receiver.next(0), settings);
        await throws<GoneException>(() async {
          while (true) {
            await lamina.job(created.id);
            await Future<void>.delayed(const Duration(milliseconds: 100));
          }
        });
        // What is due is swept at a start, and not only some seconds later.
        await own.kill();
        await own.up();
        final events = [told, verified(await receiver.next(1), settings)];
        equal([for (final event in events) event.type], [WebhookEvent.completed, WebhookEvent.expired]);
        equal({for (final event in events) event.jobId}, {created.id});
      });
    });
    await receiver.close();
  });

  runTests(
    before: () async {
      emulator = await Emulator.start();
      server = await Server.start({...reach, ...emulator.environment});
    },
    after: () async {
      await server.stop();
      await emulator.stop();
    },
  );
}

/// Lets a server call this machine.
const reach = {'FETCH_ALLOW_NETS': '127.0.0.0/8', 'FETCH_ALLOW_HTTP': 'true'};
