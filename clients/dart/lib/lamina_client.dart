/// The client of a lamina server: one picture in, an ordered stack of layers out.
///
/// Begin with [LaminaClient]; its `split` does everything.
library;

export 'src/abort.dart' show AbortTrigger;
export 'src/alpha_mask.dart';
export 'src/arrangement.dart';
export 'src/client.dart' show LaminaClient;
export 'src/codes.dart' show FailureCode, ProblemCode;
export 'src/exceptions.dart';
export 'src/export.dart';
export 'src/job.dart';
export 'src/job_news.dart';
export 'src/layer.dart' show Layer, PixelRect;
export 'src/quality.dart';
export 'src/request.dart' show JobRequest, SplitOptions;
export 'src/session.dart';
export 'src/source.dart' show ImageInput;
export 'src/split.dart';
export 'src/split_point.dart';
export 'src/stack_touch.dart';
export 'src/timing.dart' show RetryPolicy, Timeouts;
export 'src/token.dart' show LaminaToken, TokenProvider;
export 'src/transport.dart'
    show PooledTransport, RequestBody, Transport, TransportException, TransportRequest, TransportResponse;
export 'src/upload.dart';
export 'src/webhook.dart' show WebhookEvent, WebhookException, verifyWebhook;
export 'src/webhooks.dart';
