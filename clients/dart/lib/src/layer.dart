import 'reading.dart';

/// A rectangle of whole pixels.
final class PixelRect {
  /// A rectangle by its left upper corner and its size.
  const PixelRect(this.x, this.y, this.width, this.height);

  /// Reads the server's [json].
  PixelRect.fromJson(Map<String, Object?> json)
    : x = json.need('x'),
      y = json.need('y'),
      width = json.need('width'),
      height = json.need('height');

  /// Left edge.
  final int x;

  /// Upper edge.
  final int y;

  /// Width.
  final int width;

  /// Height.
  final int height;

  /// Whether the pixel at ([px], [py]) is inside.
  bool contains(num px, num py) => px >= x && py >= y && px < x + width && py < y + height;

  @override
  bool operator ==(Object other) =>
      other is PixelRect && (x, y, width, height) == (other.x, other.y, other.width, other.height);

  @override
  int get hashCode => Object.hash(x, y, width, height);

  @override
  String toString() => '$width×$height at $x,$y';
}

/// One layer: an RGBA image with the canvas's size and straight alpha.
final class Layer {
  /// Reads the server's [json].
  Layer.fromJson(this.json)
    : id = json.need('id'),
      url = json.needUri('url'),
      width = json.need('width'),
      height = json.need('height'),
      order = json.need('order'),
      name = json.opt('name'),
      rect = switch (json.opt<Map<String, Object?>>('bbox')) {
        null => null,
        final box => PixelRect.fromJson(box),
      },
      coverage = json.opt('coverage'),
      sha256 = json.opt('sha256'),
      bytes = json.opt('bytes'),
      contentType = json.opt('content_type') ?? 'image/png',
      opacity = json.opt('opacity') ?? 1,
      blendMode = json.opt('blend_mode') ?? 'normal',
      kind = json.opt('kind'),
      text = json.opt('text'),
      textConfidence = json.opt('text_confidence'),
      thumbnailUrl = json.optUri('thumbnail_url'),
      variantsUrl = json.optUri('variants_url'),
      thumbhash = json.opt('thumbhash'),
      fidelityUrl = json.optUri('fidelity_url');

  /// Everything the server said, fields of newer servers included. It holds the signed links.
  final Map<String, Object?> json;

  /// `layer_` and its order.
  final String id;

  /// A signed link to its file. It needs no header, so an image widget opens it; whoever has it can open it
  /// until the job expires, so it does not belong in a log.
  final Uri url;

  /// Width of the canvas in pixels.
  final int width;

  /// Height of the canvas in pixels.
  final int height;

  /// Place in the stack; 0 is the bottom.
  final int order;

  /// What the engine calls it, if it gives names.
  final String? name;

  /// The smallest rectangle that holds every visible pixel; null for an empty layer.
  final PixelRect? rect;

  /// Mean alpha over the canvas, 0.0 to 1.0.
  final double? coverage;

  /// Lower-case hex SHA-256 of the file; `layerBytes` checks it.
  final String? sha256;

  /// Size of the file.
  final int? bytes;

  /// Type of the file.
  final String contentType;

  /// Opacity at which it is meant to be drawn, 0.0 to 1.0.
  final double opacity;

  /// How it is meant to be drawn over what is below; `normal` today.
  final String blendMode;

  /// What it is, where the server says so: `background`, `text`, `shape`, `panel`, `subject`, `object` or
  /// `shadow`; newer servers may say others.
  final String? kind;

  /// What is written in it, lines apart, where it is text that was read.
  final String? text;

  /// How sure the server is of [text], 0.0 to 1.0.
  final double? textConfidence;

  /// A signed link to a WebP of it, with its alpha, no side longer than 256 pixels; null from servers that make none. As secret as [url].
  final Uri? thumbnailUrl;

  /// A signed link to its file to which [variantUrl] adds what is wanted; null from servers that make no variants.
  final Uri? variantsUrl;

  /// A likeness of some 25 bytes in base64 ([ThumbHash](https://evanw.github.io/thumbhash/)), to be shown until a picture is there; null from
  /// servers that make none.
  final String? thumbhash;

  /// A link to a variant of the file: with [trim] cut to [rect] (of an empty layer one clear pixel), in [format] (`png` or `webp`, both without
  /// loss), at least [width] pixels wide. Widths are rounded up to 128, 256, 512, 1024 or 2048, and no picture is wider than the layer. A server
  /// that makes none answers with the file as it is. As secret as [url].
  Uri variantUrl({bool trim = false, String? format, int? width}) {
    final base = variantsUrl ?? url;
    return base.replace(
      queryParameters: {
        ...base.queryParameters,
        if (trim) 'trim': '1',
        if (format != null) 'format': format,
        if (width != null) 'width': '$width',
      },
    );
  }

  /// A link to a grey PNG: white where the picture shows this layer, black where it was invented; of layers that were raised
  /// to the picture's size.
  final Uri? fidelityUrl;

  @override
  String toString() => 'Layer $id${name == null ? '' : ' "$name"'} ($width×$height)';
}

/// The layers in [json], bottom first.
List<Layer> layersFromJson(Map<String, Object?> json) => List.unmodifiable(
  [for (final layer in json.need<List<Object?>>('layers')) Layer.fromJson(asObject(layer))]
    ..sort((a, b) => a.order.compareTo(b.order)),
);
